"""Starts a server, serves clients, and stops gracefully (draining)."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Collection

from aiohttp import web

from .admission import close_transport
from .app import Application
from .close_reasons import CloseReason
from .events import Message, ServerClosing
from .idle_sweep import sweep_forever
from .internal_http import internal_app, listen, url_of
from .observability import log
from .process_watch import ProcessWatch
from .rooms import Address, everyone
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
    """Serve clients until `stop` is set, then shut down gracefully.

    `ready` is called once, when both ports listen. With `shares_port` other processes may listen on the public port,
    too. Raises `OSError` when a port is taken.
    """
    gateways = {gateway.namespace: gateway for gateway in application.gateways}

    async def evict(namespace: str, user: str) -> None:
        # another release may serve other namespaces
        if namespace in gateways:
            await gateways[namespace].socket_cap.evict(user)

    async def publish(address: Address, message: Message) -> None:
        await gateways[address.namespace].send(message.event, message, to=address.rooms)

    settings, cluster, reports = application.settings, application.guards.cluster, application.reports
    async with contextlib.AsyncExitStack() as stack:
        # what is pushed first stops last: the cluster is joined before the first client, and left after the last
        stack.push_async_callback(cluster.stop)
        await cluster.start(evict)
        public = await listen(application.public, settings.host, settings.port, reuse_port=shares_port)
        # after the transports: this waits for open ones
        stack.push_async_callback(public.cleanup)
        internal = await listen(internal_app(application), settings.internal_host, settings.internal_port)
        stack.push_async_callback(internal.cleanup)
        stack.push_async_callback(reports.stop)
        await reports.start(publish)
        watch = ProcessWatch(settings, application.guards.metrics)
        stack.push_async_callback(watch.stop)
        watch.start()
        sweeping = asyncio.create_task(sweep_forever(application))
        stack.push_async_callback(lambda: asyncio.gather(sweeping, return_exceptions=True))
        stack.callback(sweeping.cancel)
        ready(Addresses(url_of(public), url_of(internal)))
        await stop.wait()
        await _drain(application, public.sites if shares_port else ())


async def _drain(application: Application, shared_sites: Collection[web.BaseSite]) -> None:
    """Refuse new clients, tell the others when to reconnect, then disconnect them."""
    # new clients go to the other processes that listen there, connected ones stay
    for site in list(shared_sites):
        await site.stop()
    application.admission.is_draining = True
    log.info("closing", connections=application.limits.connections)
    for gateway in application.gateways:
        for sid in [sid for room in everyone() for sid in gateway.sids_in(room)]:
            retry_in = round(random.uniform(0.1, RETURN_WITHIN_SECONDS), 3)  # noqa: S311 - jitter is no secret
            await gateway.send_to_socket(ServerClosing(retry_in=retry_in), sid)
    await asyncio.sleep(GOODBYE_SECONDS)
    for environ in list(application.sio.environ.values()):
        close_transport(environ, CloseReason.DRAIN)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(application.settings.shutdown_seconds):
            await application.sio.shutdown()
    if application.guards.cluster.is_shared:
        # other processes need what the last handlers still publish
        await _wait_for_handlers(application)


async def _wait_for_handlers(application: Application) -> None:
    """Wait until the last handlers have ended, at most for their deadline."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(application.settings.handler_seconds):
            while application.limits.connections:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(POLL_SECONDS)
