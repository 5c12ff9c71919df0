"""Test `lab.show_live` in a running event loop, as in a notebook."""

import asyncio

import aiohttp
import lab
import pytest
from lab.live import notebook
from lab.system.exit_codes import UsageError

START_SECONDS = 30.0


@pytest.fixture
def shown(monkeypatch):
    """Return the list of everything that is shown below the cell."""
    outputs = []
    monkeypatch.setattr(notebook, "show_output", outputs.append)
    return outputs


async def end_all():
    tasks = list(notebook._serving)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_page_is_shown_in_a_frame(shown):
    lab.show_live(3)
    try:
        async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as client:
            # the address works at once: the answer comes when the servers run
            async with client.get(shown[0].src) as response:
                assert response.status == 200
            async with client.get(shown[0].src.replace("/?", "/state?")) as response:
                assert (await response.json())["mistake"] == "03"
    finally:
        await end_all()
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get(shown[0].src)


async def test_the_next_call_ends_the_one_before(shown):
    lab.show_live(1)
    (first,) = notebook._serving
    lab.show_live(2)
    try:
        await asyncio.wait([first], timeout=START_SECONDS)
        assert first.cancelled()
        assert len(notebook._serving) == 1
    finally:
        await end_all()


def test_outside_a_notebook_it_names_the_command(shown):
    with pytest.raises(UsageError, match="lab live 03"):
        lab.show_live(3)
    assert shown == []
