"""Test the clients that send on a schedule and watch heartbeats."""

import asyncio
import os
import signal

import pytest
from lab.clients.bystanders import HeartbeatWatch, chat_on_schedule, p99_milliseconds, watch_heartbeats
from lab.clients.chat_ring import people, poll_until
from lab.clients.tab import tabs
from lab.servers.running import running


def test_a_heartbeat_more_than_half_an_interval_late_is_missed() -> None:
    assert HeartbeatWatch(1.0, [0.0, 1.0, 2.6, 3.6]).missed(now=4.0) == 1


def test_a_heartbeat_that_is_overdue_now_is_missed() -> None:
    assert HeartbeatWatch(1.0, [0.0, 1.0]).missed(now=2.6) == 1


def test_a_connection_that_was_never_opened_missed_nothing() -> None:
    assert HeartbeatWatch().missed(now=99.0) == 0


@pytest.mark.timing
async def test_an_ack_is_timed_from_when_its_request_was_due() -> None:
    async with running("good") as server, tabs(server.target(9), people(2)) as ring:
        pid = (await server.probe.read()).pid
        async with chat_on_schedule(ring, per_second=10) as samples:
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(0.5)
            os.kill(pid, signal.SIGCONT)
    in_order = sorted(samples, key=lambda sample: sample.due_seconds)
    # no request waited for the ack of another
    assert len(in_order) >= 8
    assert in_order[0].seconds > in_order[5].seconds > 0.1
    assert p99_milliseconds(samples) > 300


async def test_heartbeats_of_a_healthy_server_are_not_missed() -> None:
    async with running("good") as server, watch_heartbeats(server.target(9), 2, over_seconds=0.1) as watched:

        async def have_heartbeats() -> bool:
            return all(len(watch.beats) >= 2 for watch in watched)

        assert await poll_until(have_heartbeats, timeout=5)
        assert sum(watch.missed(asyncio.get_running_loop().time()) for watch in watched) == 0
