"""The database of the optional chat features: SQLite by default, or PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from ..errors import Busy
from ..observability import log
from ..settings import SettingsError

DEFAULT_URL = "sqlite:///chat.sqlite3"
# the asynchronous driver of each supported database
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
# below the deadline of a handler, so that the client gets `busy` and not `timeout`
LOCK_SECONDS = 4.0
RETRY_SECONDS = 0.05
# any number, the same in all processes: only one of them creates the tables at a time
CREATE_LOCK = 17_020_114

metadata = MetaData()

conversations = Table(
    "chat_conversations",
    metadata,
    Column("key", String(260), primary_key=True),
    # the two users of a conversation without a room
    Column("first", String(128)),
    Column("second", String(128)),
    Column("last_seq", BigInteger, nullable=False),
    Index("chat_conversations_first", "first"),
    Index("chat_conversations_second", "second"),
)

messages = Table(
    "chat_messages",
    metadata,
    Column("conversation", String(260), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("sender", String(128), nullable=False),
    Column("role", String(64), nullable=False),
    Column("id", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("conversation", "sender", "id", name="chat_messages_once"),
)

reads = Table(
    "chat_reads",
    metadata,
    Column("conversation", String(260), primary_key=True),
    Column("reader", String(128), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)


class Database:
    """The connections of one process to the database. They start and stop with the server.

    `url` has the form `sqlite:///chat.sqlite3` or `postgresql://user:password@host/name`. Raises `SettingsError` if
    `url` has another form.
    """

    def __init__(self, url: str = DEFAULT_URL) -> None:
        self._url = _checked(url)
        self._engine: AsyncEngine | None = None

    async def start(self) -> None:
        """Connect, and create the missing tables. Several processes can do this at the same time."""
        self._engine = create_engine(self._url)
        try:
            await _use_wal(self._engine)
            async with self._engine.begin() as connection:
                await _create_tables(connection)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close all connections."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Run an `async with` block as one transaction. Yields the connection.

        The transaction is committed at the end of the block, and rolled back after an error or a cancellation. Raises
        `Busy` when the database does not answer or stays locked.
        """
        if self._engine is None:
            raise Busy("the history is not available now; try again later")
        try:
            async with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except (OperationalError, InterfaceError, PoolTimeoutError, OSError) as error:
            raise _away(error) from None
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise _away(error) from None

    def insert(self, table: Table) -> Any:
        """Return an SQLAlchemy insert for `table`. Its method `on_conflict_do_update` makes it an upsert."""
        return (sqlite if self._url.get_backend_name() == "sqlite" else postgresql).insert(table)


def create_engine(url: URL) -> AsyncEngine:
    """Return the SQLAlchemy engine for `url`. The URL names an asynchronous driver, such as `sqlite+aiosqlite`."""
    if url.get_backend_name() == "sqlite":
        return create_async_engine(url, connect_args={"timeout": LOCK_SECONDS})
    # a connection that the database closed while it was idle is replaced before its use
    return create_async_engine(url, pool_pre_ping=True)


async def _use_wal(engine: AsyncEngine) -> None:
    """Switch a SQLite file to write-ahead logging (WAL).

    Readers then do not wait for the writer. The file stays in this mode. SQLite does not wait for other processes when
    it changes the mode, so this function tries again. Raises `OperationalError` if the file stays locked for
    `LOCK_SECONDS`. With another database, this function does nothing.
    """
    if engine.dialect.name != "sqlite":
        return
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LOCK_SECONDS
        while True:
            try:
                await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                return
            except OperationalError:
                if loop.time() > deadline:
                    raise
            await asyncio.sleep(RETRY_SECONDS)


async def _create_tables(connection: AsyncConnection) -> None:
    if connection.dialect.name == "postgresql":
        # two processes that create the same table at once would fail
        await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": CREATE_LOCK})
    for table in metadata.sorted_tables:
        await connection.execute(CreateTable(table, if_not_exists=True))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            await connection.execute(CreateIndex(index, if_not_exists=True))


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # the message of SQLAlchemy holds the URL, and with it the password
        raise SettingsError("the URL of the database is not well-formed") from None
    driver = DRIVERS.get(parsed.drivername.partition("+")[0])
    if driver is None:
        raise SettingsError("the URL of the database starts with sqlite:// or postgresql://")
    return parsed.set(drivername=driver)


def _away(error: Exception) -> Busy:
    log.warning("the database does not answer", error=type(error).__name__)
    return Busy("the history is not available now; try again later")
