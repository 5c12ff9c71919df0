"""Tests of row 50 of `WITHSTANDS.md` with two processes."""

import pytest

from ...events import SESSION_EVICTED
from ...gateway.eviction import SocketCap
from ..core.test_withstands_evictions import UNLIMITED, check_cap
from ..stand_in import LEAVE


async def test_row_50_the_cap_holds_over_two_processes(two, until):
    await check_cap(await two(**UNLIMITED), until)


async def test_row_50_the_cap_holds_after_both_processes_were_full(two, connect, until):
    servers = await two(sockets_per_user=3)
    tabs = [await connect("ana", to=server) for server in servers for _ in range(3)]
    await until(lambda: sum(server.application.limits.connections for server in servers) == 3)
    # the newest is never evicted
    assert tabs[-1].sio.connected
    assert (await tabs[-1].ask(*LEAVE))["ok"]


async def test_row_50_another_process_evicts_with_the_same_notice(two, connect):
    first, second = await two(sockets_per_user=1)
    old = await connect("ana", to=first)
    new = await connect("ana", to=second)
    assert await old.receives(SESSION_EVICTED) == {"limit": 1}
    assert await old.is_closed()
    assert (await new.ask(*LEAVE))["ok"]


async def test_row_50_fails_when_only_the_own_process_is_counted(two, until, monkeypatch):
    async def count_here(self, user, newest):
        newest.is_accepted = True

    monkeypatch.setattr(SocketCap, "admit", count_here)
    with pytest.raises(TimeoutError):
        await check_cap(await two(**UNLIMITED), lambda condition: until(condition, seconds=1))
