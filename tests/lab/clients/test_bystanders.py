"""Bystanders ask on time whatever the server does, and a heartbeat that is late is one missed."""

import asyncio
import os
import signal

from lab.clients.bystanders import HeartbeatWatch, chat_on_schedule, p99_milliseconds, watch_heartbeats
from lab.clients.chat_ring import people, poll_until
from lab.clients.tab import tabs
from lab.servers.running import running


def test_a_heartbeat_half_an_interval_late_is_missed() -> None:
    assert HeartbeatWatch(1.0, [0.0, 1.0, 2.6, 3.6]).missed(now=4.0) == 1


def test_a_heartbeat_that_is_overdue_now_is_missed() -> None:
    assert HeartbeatWatch(1.0, [0.0, 1.0]).missed(now=2.6) == 1


def test_a_connection_that_was_never_opened_missed_nothing() -> None:
    assert HeartbeatWatch().missed(now=99.0) == 0


async def test_what_a_server_takes_is_timed_from_when_the_question_was_due() -> None:
    async with running("good") as server, tabs(server.target(9), people(2)) as ring:
        pid = (await server.probe.read()).pid
        async with chat_on_schedule(ring, per_second=10) as samples:
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(0.5)
            os.kill(pid, signal.SIGCONT)
    in_order = sorted(samples, key=lambda sample: sample.due_seconds)
    # nobody waited to ask until somebody else had been answered
    assert len(in_order) >= 8
    assert in_order[0].seconds > in_order[5].seconds > 0.1
    assert p99_milliseconds(samples) > 300


async def test_heartbeats_of_a_server_in_order_are_seen_and_not_missed() -> None:
    async with running("good") as server, watch_heartbeats(server.target(9), 2, over_seconds=0.1) as watched:

        async def have_beaten() -> bool:
            return all(len(pulse.beats) >= 2 for pulse in watched)

        assert await poll_until(have_beaten, timeout=5)
        assert sum(pulse.missed(asyncio.get_running_loop().time()) for pulse in watched) == 0
