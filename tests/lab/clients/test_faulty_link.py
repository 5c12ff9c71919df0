"""The faulty link: what passes, what is cut, and what only seems to be there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from lab.clients.faulty_link import FaultyLink

PATIENCE_SECONDS = 5.0
# long enough for a loopback round trip many times over, in a test that something does not come
SILENCE_SECONDS = 0.2


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(100):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def link(echo: int) -> AsyncIterator[FaultyLink]:
    async with FaultyLink(echo) as link:
        yield link


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def says(self, word: bytes, *, within: float = PATIENCE_SECONDS) -> bytes:
        self.writer.write(word)
        return await asyncio.wait_for(self.reader.read(100), within)


@pytest.fixture
async def call(link: FaultyLink) -> AsyncIterator[Caller]:
    caller = Caller(*await asyncio.open_connection("127.0.0.1", link.port))
    yield caller
    caller.writer.transport.abort()


async def test_what_goes_in_comes_out(call: Caller, link: FaultyLink) -> None:
    assert await call.says(b"hello") == b"hello"
    assert (link.bytes_to_server, link.bytes_to_client) == (5, 5)


async def test_a_cut_is_a_reset_and_new_connections_are_welcome(call: Caller, link: FaultyLink) -> None:
    await call.says(b"hello")
    await link.cut()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(call.reader.read(100), PATIENCE_SECONDS)
    again = Caller(*await asyncio.open_connection("127.0.0.1", link.port))
    assert await again.says(b"again") == b"again"
    again.writer.transport.abort()


async def test_a_silent_connection_stays_open_and_says_nothing(call: Caller, link: FaultyLink) -> None:
    await call.says(b"hello")
    await link.go_silent()
    with pytest.raises(TimeoutError):
        await call.says(b"anyone?", within=SILENCE_SECONDS)
    assert link.connections == 1
    assert not call.reader.at_eof()


async def test_what_was_stalled_arrives_afterwards(call: Caller, link: FaultyLink) -> None:
    await call.says(b"hello")
    with link.stalled(), pytest.raises(TimeoutError):
        await call.says(b"wait", within=SILENCE_SECONDS)
    assert await asyncio.wait_for(call.reader.read(100), PATIENCE_SECONDS) == b"wait"


async def test_not_even_an_end_passes_a_stall(call: Caller, link: FaultyLink) -> None:
    await call.says(b"hello")
    with link.stalled():
        call.writer.close()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link_is_empty(link), SILENCE_SECONDS)
    await asyncio.wait_for(link_is_empty(link), PATIENCE_SECONDS)


async def link_is_empty(link: FaultyLink) -> None:
    while link.connections:  # noqa: ASYNC110 - a link tells nobody
        await asyncio.sleep(0.01)


async def test_a_delay_holds_each_way(call: Caller, link: FaultyLink) -> None:
    loop = asyncio.get_running_loop()
    with link.delayed(0.05):
        started = loop.time()
        await call.says(b"slow")
    assert loop.time() - started >= 0.1


async def test_a_connection_that_has_not_reached_the_target_when_the_link_ends_is_closed(monkeypatch):
    reached, connect = asyncio.Event(), asyncio.open_connection

    async def never(*_, **__):
        reached.set()
        await asyncio.Future()

    monkeypatch.setattr(asyncio, "open_connection", never)
    async with FaultyLink(1) as link:
        reader, writer = await connect("127.0.0.1", link.port)
        await asyncio.wait_for(reached.wait(), PATIENCE_SECONDS)
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b""
    writer.close()
