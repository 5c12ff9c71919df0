"""Test the faulty link: forwarding, cuts, silence, stalls and delays."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from lab.clients.chat_ring import poll_until
from lab.clients.faulty_link import FaultyLink

PATIENCE_SECONDS = 5.0
# many times as long as a loopback round trip, for tests that nothing arrives
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

    async def echo(self, data: bytes, *, timeout: float = PATIENCE_SECONDS) -> bytes:
        self.writer.write(data)
        return await asyncio.wait_for(self.reader.read(100), timeout)


@pytest.fixture
async def caller(link: FaultyLink) -> AsyncIterator[Caller]:
    opened = Caller(*await asyncio.open_connection("127.0.0.1", link.port))
    yield opened
    opened.writer.transport.abort()


async def test_data_is_forwarded_unchanged(caller: Caller, link: FaultyLink) -> None:
    assert await caller.echo(b"hello") == b"hello"
    assert (link.bytes_to_server, link.bytes_to_client) == (5, 5)


async def test_a_cut_is_a_reset_and_new_connections_work(caller: Caller, link: FaultyLink) -> None:
    await caller.echo(b"hello")
    await link.cut()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(caller.reader.read(100), PATIENCE_SECONDS)
    again = Caller(*await asyncio.open_connection("127.0.0.1", link.port))
    assert await again.echo(b"again") == b"again"
    again.writer.transport.abort()


async def test_a_silent_connection_stays_open_and_sends_nothing(caller: Caller, link: FaultyLink) -> None:
    await caller.echo(b"hello")
    await link.go_silent()
    with pytest.raises(TimeoutError):
        await caller.echo(b"anyone?", timeout=SILENCE_SECONDS)
    assert link.connections == 1
    assert not caller.reader.at_eof()


async def test_stalled_data_arrives_after_the_stall(caller: Caller, link: FaultyLink) -> None:
    await caller.echo(b"hello")
    with link.stalled(), pytest.raises(TimeoutError):
        await caller.echo(b"wait", timeout=SILENCE_SECONDS)
    assert await asyncio.wait_for(caller.reader.read(100), PATIENCE_SECONDS) == b"wait"


async def test_a_close_is_not_forwarded_during_a_stall(caller: Caller, link: FaultyLink) -> None:
    await caller.echo(b"hello")
    with link.stalled():
        caller.writer.close()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link_is_empty(link), SILENCE_SECONDS)
    await asyncio.wait_for(link_is_empty(link), PATIENCE_SECONDS)


async def link_is_empty(link: FaultyLink) -> None:
    while link.connections:  # noqa: ASYNC110 - a link has no event for this
        await asyncio.sleep(0.01)


async def test_a_delay_applies_in_each_direction(caller: Caller, link: FaultyLink) -> None:
    loop = asyncio.get_running_loop()
    with link.delayed(0.05):
        started = loop.time()
        await caller.echo(b"slow")
    assert loop.time() - started >= 0.1


async def test_the_end_of_the_link_closes_a_pending_connection(monkeypatch):
    is_connecting, connect = asyncio.Event(), asyncio.open_connection

    async def never_connect(*_, **__):
        is_connecting.set()
        await asyncio.Future()

    monkeypatch.setattr(asyncio, "open_connection", never_connect)
    async with FaultyLink(1) as link:
        reader, writer = await connect("127.0.0.1", link.port)
        await asyncio.wait_for(is_connecting.wait(), PATIENCE_SECONDS)
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b""
    writer.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@contextlib.contextmanager
def nothing_remains() -> Iterator[None]:
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() == before
    # an open socket that is collected fails the test
    gc.collect()


@contextlib.contextmanager
def clients_of(link: FaultyLink, count: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            raw = stack.enter_context(socket.socket())
            raw.setblocking(False)
            raw.connect_ex(("127.0.0.1", link.port))
        yield


# in each of these turns of the loop another step of a connection is under way
@pytest.mark.parametrize("turns", range(12))
async def test_a_link_closes_what_connects_while_it_ends(listener: socket.socket, turns: int) -> None:
    with nothing_remains(), contextlib.ExitStack() as clients:
        async with FaultyLink(listener.getsockname()[1]) as link:
            clients.enter_context(clients_of(link, 3))
            for _ in range(turns):
                await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancelled_link_closes_its_connections(listener: socket.socket, turns: int) -> None:
    async def hold() -> None:
        async with FaultyLink(listener.getsockname()[1]) as link:
            with clients_of(link, 3):
                await asyncio.Future()

    with nothing_remains():
        holding = asyncio.create_task(hold())
        for _ in range(turns + 1):
            await asyncio.sleep(0)
        # the second one comes while the link ends
        for _ in range(2):
            holding.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([holding])


async def test_no_socket_remains_of_clients_that_reconnect(listener: socket.socket) -> None:
    async def reconnect(port: int) -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.transport.abort()
            await asyncio.sleep(0)

    with nothing_remains():
        for turns in range(30):
            async with FaultyLink(listener.getsockname()[1]) as link:
                clients = [asyncio.create_task(reconnect(link.port)) for _ in range(5)]
                for _ in range(turns):
                    await asyncio.sleep(0)
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)


async def test_what_the_server_sends_on_a_silent_link_is_kept() -> None:
    connected: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.put_nowait(writer)

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    async with FaultyLink(server.sockets[0].getsockname()[1]) as link:
        _, caller = await asyncio.open_connection("127.0.0.1", link.port)
        writer = await connected.get()
        await link.go_silent()
        writer.write(b"ping")
        await poll_until(lambda: is_kept(link, b"ping"), timeout=PATIENCE_SECONDS)
        assert link.bytes_to_client == 0
        caller.transport.abort()
        writer.transport.abort()
    server.close()
    assert [data for _, data in link.lost_to_client] == [b"ping"]


async def is_kept(link: FaultyLink, data: bytes) -> bool:
    return data in [kept for _, kept in link.lost_to_client]
