"""Asks a server for its readiness and its Redis metrics."""

import asyncio

import aiohttp

from ..waiting import WAIT_SECONDS


async def ready(server):
    """Return the status and the text of `/readyz`."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.internal_url}/readyz") as response,
    ):
        return response.status, (await response.text()).strip()


async def until_ready(server, *answer):
    """Wait until `/readyz` answers with this status and this text."""
    async with asyncio.timeout(WAIT_SECONDS):
        while await ready(server) != answer:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.02)


def counted(server, name, **labels):
    """Return the value of a metric of this server, or 0."""
    return server.application.guards.metrics.registry.get_sample_value(name, labels) or 0
