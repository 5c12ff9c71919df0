"""The sweep visits every connection, and none of them delays it."""

import asyncio

from ... import idle_sweep


async def test_a_lost_connection_does_not_hold_up_the_sweep(server, dial, monkeypatch):
    # what the library does when the writer of a connection ended before its outbox was empty
    monkeypatch.setattr(server.sio.eio, "disconnect", lambda connection: asyncio.Event().wait())
    await dial(token=server.token("ana"))
    (environ,) = server.sio.environ.values()
    environ["aiohttp.request"].transport.abort()
    await asyncio.wait_for(idle_sweep.sweep(server.application), 10 * idle_sweep.DROP_SECONDS)


async def test_a_lost_connection_is_out_of_its_rooms_after_a_sweep(server, dial, until):
    await dial(token=server.token("ana"))
    (environ,) = server.sio.environ.values()
    environ["aiohttp.request"].transport.abort()
    await idle_sweep.sweep(server.application)
    await until(lambda: server.members("user:ana") == 0)
