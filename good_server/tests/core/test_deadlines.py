"""Tests that handlers start at once and are cancelled at their deadline."""

import asyncio

import pytest

from ...gateway.deadline import with_deadline


async def adds(one, wait):
    try:
        return one + (await wait if wait is not None else 1)
    except ValueError:
        return "caught"


async def test_a_handler_that_never_awaits_answers_at_once():
    assert await with_deadline(0, adds(1, None)) == 2


async def test_a_handler_that_waits_gets_the_result():
    assert await with_deadline(5, adds(1, asyncio.sleep(0, 41))) == 42


async def test_a_handler_that_waits_gets_the_error():
    broken = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(broken.set_exception, ValueError())
    assert await with_deadline(5, adds(1, broken)) == "caught"


async def test_a_handler_that_waits_too_long_is_cancelled():
    never = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        await with_deadline(0.01, adds(1, never))
    assert never.cancelled()
