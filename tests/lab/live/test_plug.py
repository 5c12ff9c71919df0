"""Test what a pulled plug and a tunnel do to connections."""

import asyncio

import pytest
from lab.live.plug import Plug


async def echo(reader, writer):
    try:
        while data := await reader.read(100):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def plug():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Plug(server.sockets[0].getsockname()[1]) as plug:
        yield plug


async def ask(plug):
    """Open a connection and return it with the echo of a byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", plug.port)
    writer.write(b"x")
    return writer, reader, asyncio.create_task(reader.read(1))


async def is_refused(plug):
    """Return whether a new connection is reset."""
    try:
        _, _, answer = await ask(plug)
        return await answer == b""
    except ConnectionError:
        return True


async def test_a_pulled_plug_resets_also_new_connections(plug):
    writer, reader, first = await ask(plug)
    assert await first == b"x"
    await plug.pull()
    with pytest.raises(ConnectionError):
        await reader.read(1)
    assert await is_refused(plug)
    writer.close()


async def test_a_tunnel_answers_nobody_and_resets_nobody(plug):
    old, _, first = await ask(plug)
    assert await first == b"x"
    await plug.enter_tunnel()
    new, _, second = await ask(plug)
    done, _ = await asyncio.wait([second], timeout=0.2)
    assert not done
    assert plug.connections == 1
    await plug.put_back()
    with pytest.raises(ConnectionError):
        await second
    old.close()
    new.close()


async def test_after_a_tunnel_the_server_keeps_its_end(plug):
    writer, reader, first = await ask(plug)
    assert await first == b"x"
    await plug.enter_tunnel()
    await plug.put_back()
    assert await reader.read(1) == b""
    # the server has learned nothing, so its end of the connection stays open
    assert plug.connections == 1
    again, _, answer = await ask(plug)
    assert await answer == b"x"
    writer.close()
    again.close()


async def test_a_cut_in_a_tunnel_ends_also_what_connects_just_now(plug):
    await plug.enter_tunnel()
    waiting, _, answer = await ask(plug)
    await plug.cut()
    with pytest.raises(ConnectionError):
        await answer
    assert await is_refused(plug)
    waiting.close()
