"""Build the servers of this folder's tests with all chat recipes."""

from functools import partial

import pytest

pytest.importorskip("sqlalchemy", reason="pip install 'sqlalchemy[asyncio]' 'aiosqlite<0.22' asyncpg")
pytest.importorskip("aiosqlite", reason="pip install 'sqlalchemy[asyncio]' 'aiosqlite<0.22' asyncpg")

from ...recipes.server import create_chat_app
from ...services.reports import NoReports
from ..stand_in import topic

ROOM = topic("17")


@pytest.fixture
def database_url(tmp_path):
    """The URL of a new SQLite database."""
    return f"sqlite:///{tmp_path / 'chat.sqlite3'}"


@pytest.fixture
def create_app(database_url):
    # no reports: a server that a test starts again would wait for a new worker process
    return partial(create_chat_app, database_url=database_url, reports=NoReports())


@pytest.fixture
def member(connect):
    """`await member("ana")` returns a connected tab of a member of the room."""
    return partial(connect, rooms=[ROOM])
