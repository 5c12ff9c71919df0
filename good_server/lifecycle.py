"""Starts a server, serves clients, and stops gracefully (draining)."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from .admission import close_transport
from .app import Application
from .cluster_protocol import OnOrder
from .events import Message, ServerClosing
from .internal_http import internal_app
from .listener import Listener
from .observability import log
from .process_watch import ProcessWatch
from .rooms import Address, everyone
from .runtime import Addresses
from .services.service import running

# clients reconnect spread over this time (jitter), so that they do not return as one wave
RETURN_WITHIN_SECONDS = 5.0
# time for the last messages to be written before the transports close
GOODBYE_SECONDS = 0.2
# how often to check whether the last handler has ended
POLL_SECONDS = 0.02
# how often full token buckets are deleted, and the counts in Redis renewed
SWEEP_SECONDS = 0.5
DRAIN = "drain"


async def serve(
    application: Application,
    ready: Callable[[Addresses], None],
    stop: asyncio.Event,
    *,
    shares_port: bool = False,
) -> None:
    """Serve clients until `stop` is set, then shut down gracefully.

    `ready(addresses)` is called as soon as the public and the internal port listen. With `shares_port`, other processes
    may listen on the public port, too. Raises `OSError` if a port is in use.
    """
    settings = application.settings
    public = Listener(application.public, settings, application.limits)
    internal = Listener(internal_app(application), settings)
    async with contextlib.AsyncExitStack() as stack:
        # what is pushed first stops last: the cluster is joined before the first client, and left after the last
        try:
            async with _until(stop):
                await stack.enter_async_context(_services(application))
        except TimeoutError:
            log.info("stopped before the start")
            return
        await stack.enter_async_context(_cluster(application))
        stack.push_async_callback(public.stop)
        await public.start(settings.host, settings.port, reuse_port=shares_port)
        stack.push_async_callback(internal.stop)
        await internal.start(settings.internal_host, settings.internal_port)
        await stack.enter_async_context(_work(application))
        ready(Addresses(public.url, internal.url))
        await stop.wait()
        if shares_port:
            # new clients go to the other processes that listen there, connected ones stay
            public.stop_accepting()
        await drain(application)


def attach(application: Application, app: web.Application, prefix: str) -> None:
    """Serve `application` below the URL path `prefix` of the aiohttp application `app`.

    `application` starts and stops together with `app`; before the stop, it disconnects its clients. Clients connect to
    the path `prefix` + `SERVER_PATH`, which is a setting. The number of TCP connections, and the time until their first
    request, are not limited: the program that listens for `app` must limit them.
    """

    async def run(_: web.Application) -> AsyncIterator[None]:
        async with _services(application), _cluster(application), _work(application):
            yield

    async def stop(_: web.Application) -> None:
        await drain(application)

    app.add_subapp(prefix, application.public)
    app.cleanup_ctx.append(run)
    app.on_shutdown.append(stop)


@contextlib.asynccontextmanager
async def _until(stop: asyncio.Event) -> AsyncIterator[None]:
    """Cancel an `async with` block when `stop` is set. The block then ends with `TimeoutError`."""
    async with asyncio.timeout(None) as limit:
        waiting = asyncio.create_task(stop.wait())
        waiting.add_done_callback(lambda task: None if task.cancelled() else limit.reschedule(0))
        try:
            yield
        finally:
            waiting.cancel()


@contextlib.asynccontextmanager
async def _services(application: Application) -> AsyncIterator[None]:
    """Run the product's services and the authenticator during an `async with` block.

    A service is an object with `start()` and `stop()`, such as a database pool.
    """
    seconds = application.settings.shutdown_seconds
    async with running([*application.services, application.guards.auth], stop_seconds=seconds):
        yield


@contextlib.asynccontextmanager
async def _cluster(application: Application) -> AsyncIterator[None]:
    """Share state with other processes during an `async with` block.

    The state is rate limits, connection counts, acks and denials (which users' tokens are refused). Emits of other
    processes and commands of back ends also arrive during the block. Without Redis, nothing is shared.
    """
    gateways, cluster = {gateway.namespace: gateway for gateway in application.gateways}, application.guards.cluster
    membership = application.membership

    async def evict(namespace: str, user: str) -> None:
        # another release may serve other namespaces
        if namespace in gateways:
            await gateways[namespace].socket_cap.evict(user)

    try:
        orders = (membership.move_here, membership.disconnect_here, membership.check_connected)
        await cluster.start(OnOrder(evict, *orders))
        yield
    finally:
        await cluster.stop()


@contextlib.asynccontextmanager
async def _work(application: Application) -> AsyncIterator[None]:
    """Run the report queue and long-lived tasks during an `async with` block.

    The report queue makes the reports that clients request.
    """
    gateways = {gateway.namespace: gateway for gateway in application.gateways}
    reports, background = application.reports, application.guards.background

    async def publish(address: Address, message: Message) -> None:
        await gateways[address.namespace].send(message.event, message, to=address.rooms)

    async def sweep() -> None:
        application.guards.rates.sweep()
        application.limits.sweep()
        application.guards.cluster.denials.sweep()

    try:
        await reports.start(publish)
        ProcessWatch(application.settings, application.guards.metrics).start(background)
        background.repeat("sweep", SWEEP_SECONDS, sweep)
        yield
    finally:
        await background.stop()
        await reports.stop()


async def drain(application: Application) -> None:
    """Refuse new clients and disconnect all connected clients.

    Before the disconnect, a message tells each client after how many seconds to reconnect.
    """
    application.admission.is_draining = True
    # checks that wait for a key must not delay the end of their connections
    await application.guards.auth.drain()
    log.info("closing", connections=application.limits.connections)
    for gateway in application.gateways:
        for sid in [sid for room in everyone() for sid in gateway.sids_in(room)]:
            retry_in = round(random.uniform(0.1, RETURN_WITHIN_SECONDS), 3)  # noqa: S311 - jitter is no secret
            await gateway.send_to_socket(ServerClosing(retry_in=retry_in), sid)
    await asyncio.sleep(GOODBYE_SECONDS)
    for environ in list(application.sio.environ.values()):
        close_transport(environ, DRAIN)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(application.settings.shutdown_seconds):
            await application.sio.shutdown()
    if application.guards.cluster.is_shared:
        # other processes need what the last handlers still publish
        await _wait_for_handlers(application)


async def _wait_for_handlers(application: Application) -> None:
    """Wait until the last handlers have ended, at most `settings.handler_seconds` seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(application.settings.handler_seconds):
            while application.limits.connections:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(POLL_SECONDS)
