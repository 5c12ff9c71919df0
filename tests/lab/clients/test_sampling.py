"""Tests the samples of a server's state during a scenario."""

import asyncio
import itertools
from typing import Any

import pytest
from lab.clients.sampling import sampled


async def test_a_sample_is_taken_before_and_at_the_end_of_the_block() -> None:
    numbers = itertools.count()

    async def measure() -> dict[str, Any]:
        return {"number": next(numbers)}

    async with sampled(measure, every_seconds=60) as samples:
        assert [sample["number"] for sample in samples] == [0]
    assert [sample["number"] for sample in samples] == [0, 1]
    assert samples[0]["at_seconds"] <= samples[1]["at_seconds"]


async def test_samples_are_taken_while_the_block_runs() -> None:
    third = asyncio.Event()
    numbers = itertools.count()

    async def measure() -> dict[str, Any]:
        number = next(numbers)
        if number == 2:
            third.set()
        return {"number": number}

    async with sampled(measure, every_seconds=0.001):
        await asyncio.wait_for(third.wait(), 5)


async def test_an_error_of_a_sample_is_raised() -> None:
    failed = asyncio.Event()
    numbers = itertools.count()

    async def measure() -> dict[str, Any]:
        if next(numbers):
            failed.set()
            raise ValueError("no answer")
        return {}

    async def sample_until_it_fails() -> None:
        async with sampled(measure, every_seconds=0.001):
            await asyncio.wait_for(failed.wait(), 5)

    with pytest.raises(ValueError, match="no answer"):
        await sample_until_it_fails()
