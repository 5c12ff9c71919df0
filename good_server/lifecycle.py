"""Start, drain and stop of a server (graceful shutdown)."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from .admission import close_transport
from .app import Application
from .events import ServerClosing
from .gateway import Gateway, publisher
from .idle_sweep import sweeping
from .internal_http import internal_app, listen, url_of
from .observability import log
from .rooms import everyone
from .runtime import Addresses

# clients reconnect spread over this time (jitter), so that they do not return as one wave
RETURN_WITHIN_SECONDS = 5.0
# time for the last messages to be written before the transports close
GOODBYE_SECONDS = 0.2
# how often to check whether the last handler has ended
POLL_SECONDS = 0.02


async def serve(
    application: Application,
    ready: Callable[[Addresses], None],
    stop: asyncio.Event,
    *,
    shares_port: bool = False,
) -> None:
    """Serve until `stop` is set, then drain.

    `ready` is called once, when both ports listen. With `shares_port` other processes may listen on the public port,
    too. Raises `OSError` when a port is taken.
    """
    async with _in_cluster(application):
        await _serve(application, ready, stop, shares_port)


async def _serve(
    application: Application, ready: Callable[[Addresses], None], stop: asyncio.Event, shares_port: bool
) -> None:
    settings = application.settings
    public = await listen(application.public, settings.host, settings.port, reuse_port=shares_port)
    try:
        internal = await listen(internal_app(application), settings.internal_host, settings.internal_port)
        try:
            await application.reports.start(publisher(application.gateways))
            async with sweeping(application):
                ready(Addresses(url_of(public), url_of(internal)))
                await stop.wait()
                if shares_port:
                    await _stop_accepting(public)
                await _drain(application)
                if application.guards.cluster.is_shared:
                    # other processes need what the last handlers still publish
                    await _wait_for_handlers(application)
        finally:
            await application.reports.stop()
            await internal.cleanup()
    finally:
        # after the transports: this waits for open ones
        await public.cleanup()


async def _stop_accepting(runner: web.AppRunner) -> None:
    """Stop listening: new clients go to other processes, connected ones stay."""
    for site in list(runner.sites):
        await site.stop()


@asynccontextmanager
async def _in_cluster(application: Application) -> AsyncIterator[None]:
    """Join the cluster before the first client, leave after the last."""
    cluster = application.guards.cluster
    gateways = {gateway.namespace: gateway for gateway in application.gateways}

    async def evict(namespace: str, user: str) -> None:
        # another release may serve other namespaces
        if namespace in gateways:
            await gateways[namespace].evict(user)

    try:
        await cluster.start(evict)
        yield
    finally:
        await cluster.stop()


async def _wait_for_handlers(application: Application) -> None:
    """Wait for the last handlers, but no longer than their deadline."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(application.settings.handler_seconds):
            while application.limits.connections:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(POLL_SECONDS)


async def _drain(application: Application) -> None:
    """Stop accepting, tell each client when to reconnect, then close the transports."""
    application.admission.is_draining = True
    log.info("closing", connections=application.limits.connections)
    await asyncio.gather(*(_announce_closing(gateway) for gateway in application.gateways))
    await asyncio.sleep(GOODBYE_SECONDS)
    for environ in list(application.sio.environ.values()):
        close_transport(environ)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(application.settings.shutdown_seconds):
            await application.sio.shutdown()


async def _announce_closing(gateway: Gateway) -> None:
    for sid in [sid for room in everyone() for sid in gateway.sids_in(room)]:
        retry_in = round(random.uniform(0.1, RETURN_WITHIN_SECONDS), 3)  # noqa: S311 - jitter is no secret
        await gateway.send_to_socket(ServerClosing(retry_in=retry_in), sid)
