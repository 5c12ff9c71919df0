"""Answers for starting, watching over, draining and stopping a server."""

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from . import events, rooms, transport
from .app import Application, healthz
from .gateway import STATE, Gateway
from .observability import log

SWEEP_SECONDS = 0.5
# sockets looked at before the loop may do something else
SWEEP_BATCH = 500
# the library first takes a lost connection out of its rooms, then waits for an outbox that nobody may empty any more
DROP_SECONDS = 0.5
# clients are asked to come back spread over this, so that they do not return as one wave
RETURN_WITHIN_SECONDS = 5.0
# for the goodbyes to be written before the transports close
GOODBYE_SECONDS = 0.2
# how often it is looked whether the own voice is heard, and whether the last handler has ended
LOOK_SECONDS = 0.02
# without Redis a process serves its own clients still, and so do all others: none is taken out. One that is deaf is
# worse off than the others.
READINESS = {"up": (200, "ready"), "away": (200, "degraded"), "deaf": (503, "deaf")}
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server listens: base URLs."""

    public: str
    internal: str


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loop: uvloop where it runs, on Windows the standard library."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve(
    application: Application,
    ready: Callable[[Addresses], None],
    stop: asyncio.Event,
    *,
    shares_port: bool = False,
) -> None:
    """Runs until `stop` is set, then drains; `ready` is called once, when both ports listen.

    With `shares_port` other processes may listen on the public port too. Raises `OSError` when a port is taken.
    """
    async with _linked(application):
        await _serve_linked(application, ready, stop, shares_port)


async def _serve_linked(
    application: Application, ready: Callable[[Addresses], None], stop: asyncio.Event, shares_port: bool
) -> None:
    settings = application.settings
    public = await _listen(application.public, settings.host, settings.port, reuse_port=shares_port)
    try:
        internal = await _listen(_internal_app(application), settings.internal_host, settings.internal_port)
        try:
            await application.reports.start(application.deliver)
            async with _watched(application):
                ready(Addresses(_url(public), _url(internal)))
                await stop.wait()
                if shares_port:
                    await _stop_listening(public)
                await _drain(application)
                if application.link is not None:
                    # what the last handlers still do and say is for other processes, and for who asks those again
                    await _come_true(lambda: not application.doors.connections, settings.handler_seconds)
        finally:
            await application.reports.stop()
            await internal.cleanup()
    finally:
        # after the transports: what is still open would be waited for
        await public.cleanup()


async def _listen(app: web.Application, host: str, port: int, *, reuse_port: bool = False) -> web.AppRunner:
    http_log = transport.HttpLog(logging.getLogger("aiohttp.server"))
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0, logger=http_log)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_port=reuse_port or None).start()
    except OSError as error:
        await runner.cleanup()
        raise cannot_listen(error, host, port) from None
    return runner


def cannot_listen(error: OSError, host: str, port: int) -> OSError:
    """The same error in words for whoever chose the port."""
    # asyncio words it differently in each version of Python; the system does not
    why = os.strerror(error.errno) if error.errno else str(error)
    return OSError(error.errno, f"cannot listen on {host}:{port}: {why}")


async def _stop_listening(runner: web.AppRunner) -> None:
    """Who comes from now on is another process's; who is here stays."""
    for site in list(runner.sites):
        await site.stop()


def _url(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _internal_app(application: Application) -> web.Application:
    """Health, readiness and metrics: for operators, never on the public port."""

    async def readyz(request: web.Request) -> web.Response:
        if application.admission.is_closing:
            return web.Response(status=503, text="closing\n")
        status, word = READINESS[application.link.state if application.link is not None else "up"]
        return web.Response(status=status, text=f"{word}\n")

    async def metrics(request: web.Request) -> web.Response:
        application.guards.metrics.connections.set(application.doors.connections)
        return web.Response(body=application.guards.metrics.exposition(), headers={"Content-Type": METRICS_TYPE})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


@asynccontextmanager
async def _linked(application: Application) -> AsyncIterator[None]:
    """Talks and listens to the other processes, if there are any, before anybody is served and until nobody is."""
    link, manager = application.link, application.sio.manager
    if link is None:
        yield
        return
    await link.start()
    try:
        manager.initialize()
        # whoever came before would not be heard elsewhere, or would miss what is said there
        await _come_true(lambda: link.has_heard or not link.is_up, application.settings.redis_deaf_seconds)
        yield
    finally:
        await manager.stop()
        await link.stop()


async def _come_true(is_so: Callable[[], bool], seconds: float) -> None:
    """Waits, but no longer than this, for what no event tells."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not is_so():  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def _watched(application: Application) -> AsyncIterator[None]:
    task = asyncio.create_task(_watch(application))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(application: Application) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        application.guards.rates.sweep()
        application.guards.elsewhere.renew()
        await sweep(application)


async def sweep(application: Application) -> None:
    """One look at every connection the library holds: gone ones are dropped, late ones closed, ending ones warned."""
    environs: dict[str, dict[str, Any]] = application.sio.environ
    gone = []
    for number, (connection, environ) in enumerate(list(environs.items())):
        if number % SWEEP_BATCH == SWEEP_BATCH - 1:
            await asyncio.sleep(0)
        if transport.is_gone(environ):
            gone.append(connection)
            continue
        try:
            session = await application.sio.eio.get_session(connection)
        except KeyError:
            continue
        await _look_at(application, connection, environ, session)
    await _drop(application, gone)


async def _drop(application: Application, connections: Sequence[str]) -> None:
    """Tells the library of lost connections: a malformed frame can end its reader without its telling anybody."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DROP_SECONDS):
            await asyncio.gather(*(application.sio.eio.disconnect(connection) for connection in connections))


async def _look_at(application: Application, connection: str, environ: dict[str, Any], session: dict[str, Any]) -> None:
    settings = application.settings
    gateway = next((gateway for gateway in application.gateways if STATE in session.get(gateway.namespace, {})), None)
    if gateway is None:
        # a check under way has a timeout of its own, and ends in a word that says why
        is_checked = any(
            application.sio.manager.sid_from_eio_sid(connection, gateway.namespace) for gateway in application.gateways
        )
        if transport.age_seconds(environ) > settings.handshake_seconds and not is_checked:
            transport.close_transport(environ)
        return
    state = session[gateway.namespace][STATE]
    left = state.identity.expires_at - application.clock()
    if left < -settings.expiry_grace_seconds:
        log.info("expired", user=state.identity.user)
        transport.close_transport(environ)
    elif left < settings.expiry_notice_seconds and not state.was_warned:
        state.was_warned = True
        sid = application.sio.manager.sid_from_eio_sid(connection, gateway.namespace)
        await gateway.tell(events.AUTH_EXPIRING, events.AuthExpiring(expires_in=max(0.0, round(left, 3))), sid)


async def _drain(application: Application) -> None:
    """Readiness off, nobody new, a goodbye to all with a return time of their own, then the transports."""
    application.admission.is_closing = True
    log.info("closing", connections=application.doors.connections)
    await asyncio.gather(*(_say_goodbye(gateway) for gateway in application.gateways))
    await asyncio.sleep(GOODBYE_SECONDS)
    for environ in list(application.sio.environ.values()):
        transport.close_transport(environ)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(application.settings.shutdown_seconds):
            await application.sio.shutdown()


async def _say_goodbye(gateway: Gateway) -> None:
    sids: Sequence[str] = [sid for room in rooms.everyone() for sid in gateway.sids_in(room)]
    for sid in sids:
        closing = events.ServerClosing(retry_in=round(random.uniform(0.1, RETURN_WITHIN_SECONDS), 3))  # noqa: S311
        await gateway.tell(events.SERVER_CLOSING, closing, sid)
