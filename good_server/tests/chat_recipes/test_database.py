"""Tests that several processes can start on one SQLite file at once."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy.exc import OperationalError

from ...recipes import database
from ...recipes.database import Database
from ..waiting import WAIT_SECONDS

AT_ONCE, ROUNDS = 6, 10


@pytest.fixture
def reader(tmp_path):
    """A connection of another process that reads. SQLite does not change the mode of the file meanwhile."""
    with closing(sqlite3.connect(tmp_path / "chat.sqlite3", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE other (number INTEGER)")
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM other").fetchall()
        yield connection


async def test_many_starts_at_once_succeed(tmp_path):
    for number in range(ROUNDS):
        databases = [Database(f"sqlite:///{tmp_path}/{number}.sqlite3") for _ in range(AT_ONCE)]
        started = await asyncio.gather(*(each.start() for each in databases), return_exceptions=True)
        for each in databases:
            await each.stop()
        assert started == [None] * AT_ONCE


async def test_a_start_waits_until_no_other_process_reads(database_url, reader, tmp_path):
    mine = Database(database_url)
    starting = asyncio.create_task(mine.start())
    done, _ = await asyncio.wait({starting}, timeout=2 * database.RETRY_SECONDS)
    assert not done
    reader.execute("COMMIT")
    await asyncio.wait_for(starting, WAIT_SECONDS)
    await mine.stop()
    with closing(sqlite3.connect(tmp_path / "chat.sqlite3")) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_file_that_stays_locked_ends_the_start(database_url, reader, monkeypatch):
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.1)
    with pytest.raises(OperationalError, match="locked"):
        await Database(database_url).start()
