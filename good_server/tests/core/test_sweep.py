"""Tests that no connection delays the idle sweep over all connections."""

import asyncio

from ... import idle_sweep
from ...rooms import user_room


async def test_a_lost_connection_does_not_delay_the_sweep(server, dial, monkeypatch):
    # the library does this when the writer of a connection ends before its queue is empty
    monkeypatch.setattr(server.sio.eio, "disconnect", lambda connection: asyncio.Event().wait())
    await dial(token=server.token("ana"))
    (environ,) = server.sio.environ.values()
    environ["aiohttp.request"].transport.abort()
    await asyncio.wait_for(idle_sweep.sweep(server.application), 10 * idle_sweep.DROP_SECONDS)


async def test_a_lost_connection_leaves_its_rooms_after_a_sweep(server, dial, until):
    await dial(token=server.token("ana"))
    (environ,) = server.sio.environ.values()
    environ["aiohttp.request"].transport.abort()
    await idle_sweep.sweep(server.application)
    await until(lambda: server.members(user_room("ana")) == 0)
