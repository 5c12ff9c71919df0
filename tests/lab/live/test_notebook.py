"""Test `lab.show_live` in a running event loop, as in a notebook."""

import asyncio

import aiohttp
import lab
import pytest
from lab.clients.chat_ring import poll_until
from lab.lessons import background
from lab.live import notebook
from lab.system.exit_codes import UsageError

START_SECONDS = 30.0


@pytest.fixture
def shown(monkeypatch):
    """Return the list of everything that is shown below the cell."""
    outputs = []
    monkeypatch.setattr(notebook, "show_output", outputs.append)
    return outputs


async def state_of(frame):
    """Return the state of a shown page, once its servers run."""
    async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as client:
        async with client.get(frame.src) as response:
            assert response.status == 200
        async with client.get(frame.src.replace("/?", "/state?")) as response:
            return await response.json()


async def is_gone(frame):
    async with aiohttp.ClientSession() as client:
        try:
            await client.get(frame.src)
        except aiohttp.ClientConnectionError:
            return True
    return False


async def test_the_page_is_shown_until_the_next_call(shown):
    # the address works at once: the answer comes when the servers run
    lab.show_live(3)
    try:
        assert (await state_of(shown[0]))["mistake"] == "03"
        lab.show_live(5)
        assert (await state_of(shown[1]))["mistake"] == "05"
        assert await poll_until(lambda: is_gone(shown[0]), timeout=START_SECONDS)
    finally:
        await background.end()
    assert await is_gone(shown[1])


def test_outside_a_notebook_it_names_the_command(shown):
    with pytest.raises(UsageError, match="lab live 03"):
        lab.show_live(3)
    assert shown == []
