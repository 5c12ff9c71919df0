"""Services that run with the server, such as a database pool."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from ..log_text import LIBRARY_TEXT_LENGTH, safe_text
from ..observability import log
from ..settings import SettingsError


class Service(Protocol):
    """Interface of a service. Each server process has its own instance."""

    async def start(self) -> None:
        """Start this service, before the first client connects. The server starts its services one after another."""

    async def stop(self) -> None:
        """Stop this service, after the last client has disconnected. Services that started later stop first."""


@asynccontextmanager
async def running(services: Sequence[Service], *, stop_seconds: float) -> AsyncIterator[None]:
    """Run services during an `async with` block.

    The services start in the order of `services`, and stop in reverse order. If a service does not start, the services
    that have already started are stopped, and `SettingsError` with a one-line message is raised. Each service has
    `stop_seconds` to stop. If a service fails to stop in this time, the failure is logged, and the other services are
    still stopped.
    """
    async with AsyncExitStack() as stack:
        for service in services:
            await start(service)
            stack.push_async_callback(_stop, service, stop_seconds)
        yield


async def start(service: Service) -> None:
    """Start a service. Raises `SettingsError` with a one-line message if the start fails."""
    try:
        await service.start()
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, the operator gets one line
        detail = safe_text(next(iter(str(error).splitlines()), ""))[:LIBRARY_TEXT_LENGTH]
        reason = f"{type(error).__name__}: {detail}" if detail else type(error).__name__
        raise SettingsError(f"{_name(service)} does not start: {reason}") from None


async def _stop(service: Service, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await service.stop()
    except Exception as error:  # noqa: BLE001 - the services before it must be stopped, too
        log.error("a service did not stop", service=_name(service), exc_info=error)


def _name(service: Service) -> str:
    # an authenticator is wrapped
    return type(getattr(service, "own", service)).__name__
