"""Tests that long-lived tasks survive their own errors."""

import asyncio

from ...background import Background
from ...observability import Metrics
from ..waiting import until


def failures(metrics, name):
    return metrics.registry.get_sample_value("server_task_failures_total", {"task": name})


async def test_a_task_that_fails_starts_again():
    metrics, calls = Metrics(), []
    background = Background(metrics)

    async def work():
        calls.append(background.failing)
        if len(calls) == 1:
            raise LookupError
        await asyncio.Event().wait()

    background.start("listener", work)
    await until(lambda: background.failing == {"listener"})
    await until(lambda: len(calls) == 2)
    await until(lambda: not background.failing)
    await background.stop()
    assert failures(metrics, "listener") == 1


async def test_a_task_that_ends_counts_as_failed():
    metrics = Metrics()
    background = Background(metrics)
    background.start("listener", lambda: asyncio.sleep(0))
    await until(lambda: background.failing == {"listener"})
    await background.stop()
    assert failures(metrics, "listener") == 1


async def test_a_failed_step_does_not_prevent_the_next_one():
    background, calls = Background(Metrics()), []

    async def step():
        calls.append(1)
        raise LookupError

    background.repeat("sweep", 0.0, step)
    await until(lambda: len(calls) == 2)
    assert background.failing == {"sweep"}
    await background.stop()


async def test_a_task_that_swallows_its_cancellation_is_stopped():
    background, swallowed = Background(Metrics()), []

    async def work():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed.append(1)

    background.start("listener", work)
    await asyncio.sleep(0)
    await background.stop()
    assert swallowed == [1]
