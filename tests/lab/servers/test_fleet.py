"""Test a server of two processes with a shared Redis.

Users must not notice which process they are connected to.
"""

import asyncio
import time
from collections.abc import AsyncIterator

import psutil
import pytest
from lab.clients.chat_ring import (
    cut_and_reconnect,
    messages_received,
    people,
    poll_until,
    wait_until_delivered,
    write_to_next,
)
from lab.clients.tab import Person, tabs
from lab.servers.fleet import Fleet
from lab.servers.running import running

# the reconnect delay of the client library is less than a second
BACK_SECONDS = 5.0


@pytest.fixture
async def good(redis_program: str) -> AsyncIterator[Fleet]:
    async with running("good", workers=2) as fleet:
        assert isinstance(fleet, Fleet)
        yield fleet


async def test_neighbours_receive_each_others_messages_after_a_cut(good: Fleet) -> None:
    async with tabs(good.target(1), people(8), reconnection=True) as ring:
        before = [tab.link.target_port for tab in ring]
        assert set(before) == set(good.target(1).ports)
        for text in ("before", "after"):
            await write_to_next(ring, text)
            await wait_until_delivered(ring)
            assert [len(messages_received(tab, text)) for tab in ring] == [1] * 8
            await cut_and_reconnect(ring)


async def test_a_lost_connection_reconnects_to_the_other_process(good: Fleet) -> None:
    first, second = good.target(1).ports
    async with tabs(good.target(1), [Person("ana")], reconnection=True) as (tab,):
        assert tab.link.target_port == first
        await cut_and_reconnect([tab])
        assert tab.link.target_port == second


@pytest.mark.timing
async def test_clients_of_a_killed_process_move_to_the_other(good: Fleet) -> None:
    members = people(8, rooms=("job:17",))
    async with tabs(good.target(4), members, reconnection=True) as ring:
        killed, alive = good.processes
        lost = [tab for tab in ring if tab.link.target_port == killed.port]
        began = time.monotonic()
        await killed.kill()
        await asyncio.gather(*(tab.connected(2, timeout=BACK_SECONDS) for tab in lost))
        assert time.monotonic() - began < BACK_SECONDS
        assert (len(lost), {tab.link.target_port for tab in ring}) == (4, {alive.port})
        assert await write_to_next(ring, "to you") == len(ring)
        await ring[0].ask("chat:send", {"room": "job:17", "text": "to all"})
        await asyncio.gather(*(tab.received("chat:message", 2) for tab in ring[1:]))
        assert [len(messages_received(tab, "to you")) for tab in ring] == [1] * 8


async def test_a_killed_process_exchanges_messages_after_a_restart(good: Fleet) -> None:
    first, second = good.processes
    await second.kill()
    await second.start_again()
    await good.wait_for_subscribers()
    async with tabs(good.target(1), people(4)) as ring:
        await write_to_next(ring, "hello")
        await wait_until_delivered(ring)
        assert [len(messages_received(tab, "hello")) for tab in ring] == [1] * 4
        assert [(await process.probe.read()).connections for process in (first, second)] == [2, 2]


async def test_a_socket_on_the_other_process_is_no_ghost(good: Fleet) -> None:
    async with tabs(good.target(1), people(4)) as ring:
        await good.probe.reset()
        await write_to_next(ring, "hello")
        await ring[0].ask("chat:send", {"to": "nobody", "text": "anyone?"})
        counts = await good.probe.counts()
        assert (counts.emits, counts.addresses, counts.ghost_addresses) == (5, 10, 1)
        assert (await good.probe.read()).connections == 4
        assert (await good.probe.dead_ids_held([tab.ids[-1] for tab in ring]))[0] == 4


async def test_no_process_references_the_id_of_a_closed_tab(good: Fleet) -> None:
    async with tabs(good.target(1), people(4)) as ring:
        await write_to_next(ring, "hello")
        await wait_until_delivered(ring)
        ids = [tab.ids[-1] for tab in ring]

    async def are_gone() -> bool:
        return (await good.probe.read()).connections == 0

    assert await poll_until(are_gone, timeout=5)
    assert await good.probe.dead_ids_held(ids) == (0, 0)


async def test_redis_outage_keeps_local_delivery_and_recovers(good: Fleet) -> None:
    async with tabs(good.target(1), people(4)) as ring:
        await good.redis.stop()
        await write_to_next(ring, "alone")
        # user-000 to user-001, and user-002 to user-003, are on the same process
        for tab in ring[1::2]:
            await tab.received("chat:message", where=lambda data: data["text"] == "alone")
        await good.redis.start()
        await good.wait_for_subscribers()

        async def all_receive() -> bool:
            await write_to_next(ring, "together")
            return all(messages_received(tab, "together") for tab in ring)

        assert await poll_until(all_receive, timeout=10)


async def test_reports_are_made_by_their_own_process(redis_program: str) -> None:
    async with (
        running("good", workers=2, makes_reports=True) as fleet,
        tabs(fleet.target(2), people(4)) as ring,
    ):
        for tab in ring:
            await tab.ask("report:request", {"kind": "cpu", "size": 1})
        await asyncio.gather(*(tab.received("report:ready") for tab in ring))


async def test_no_process_remains_after_a_block_is_cancelled(redis_program: str) -> None:
    async with running("good"):
        # starts the fork server, which then stays
        pass
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    started = asyncio.Event()

    async def work() -> None:
        async with running("bad", workers=2, makes_reports=True):
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.wait_for(started.wait(), 30)
    children = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    # two servers, Redis, the worker, and one parent process each for the last two
    assert len(children) >= 6
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert psutil.wait_procs(children, timeout=5)[1] == []
