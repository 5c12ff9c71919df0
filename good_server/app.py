"""Answers for the socket bootstrap: builds the whole server from its settings, and from nothing else.

There is no module-level server object; two applications in one process share nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import socketio
from aiohttp import web

from . import events
from .auth import TokenAuth
from .delivery import websocket
from .delivery.room_manager import RoomManager
from .delivery.send_queue import WriteBatcher
from .gateway import Gateway, Guards, NoSuchNamespace, Route, strays
from .handlers import chat, driver, reports, rooms, session, system, tracking
from .limits import ConnectionLimits, RateLimits
from .observability import Metrics
from .packets import SafePacket
from .rooms import Address, Entitlements
from .services.entitlements import TokenEntitlements
from .idempotency import IdempotencyCache
from .services.reports import EmbeddedReports, Reports
from .settings import Settings
from .admission import SOCKETIO_PATH, Admission

if TYPE_CHECKING:
    from .cluster.redis_link import Link


@dataclass(frozen=True)
class Application:
    """A server that is built and not yet started; `lifecycle.serve` runs it."""

    settings: Settings
    sio: socketio.AsyncServer
    public: web.Application
    admission: Admission
    doors: ConnectionLimits
    guards: Guards
    gateways: Sequence[Gateway]
    reports: Reports
    clock: Callable[[], float]
    # to the other processes of this server, if there are any
    link: "Link | None" = None

    async def deliver(self, address: Address, report: events.ReportReady) -> None:
        """Sends what is told of a report that ended, by the namespace it was asked in."""
        gateway = next(gateway for gateway in self.gateways if gateway.namespace == address.namespace)
        await gateway.send(events.REPORT_READY, report, to=address.rooms)


@dataclass(frozen=True)
class Parts:
    """What handlers are given, made once a server."""

    settings: Settings
    guards: Guards
    reports: Reports
    recent: IdempotencyCache = field(default_factory=IdempotencyCache)
    entitlements: Entitlements = field(default_factory=TokenEntitlements)
    link: "Link | None" = None


def create_parts(
    settings: Settings,
    *,
    entitlements: Entitlements | None = None,
    reports: Reports | None = None,
    clock: Callable[[], float] = time.time,
) -> Parts:
    """The parts for these settings; `entitlements` is where your own database comes in, `reports` your own queue.

    `clock` gives seconds since the epoch.
    """
    auth, metrics, known = TokenAuth(settings, clock=clock), Metrics(), entitlements or TokenEntitlements()
    if settings.redis_url is None:
        guards = Guards(settings, auth, RateLimits(settings), metrics, clock)
        return Parts(settings, guards, reports or EmbeddedReports(settings), entitlements=known)
    # here, as one process needs none of it and the import is heavy
    from .cluster.counts import ClusterCounts
    from .cluster.redis_link import Link
    from .cluster.rate_limits import ClusterRateLimits
    from .reports.queue import QueuedReports
    from .cluster.idempotency import ClusterIdempotencyCache

    link = Link(settings, metrics)
    guards = Guards(settings, auth, ClusterRateLimits(settings, link), metrics, clock, ClusterCounts(link))
    recent = ClusterIdempotencyCache(link, handler_seconds=settings.handler_seconds)
    return Parts(settings, guards, reports or QueuedReports(settings), recent, known, link)


def create_routes(parts: Parts) -> tuple[Route, ...]:
    """Every event of the product, each with its guards; a new handler is one more line."""
    return (
        *chat.routes(parts.recent),
        *tracking.routes(),
        *driver.routes(),
        *system.routes(),
        *rooms.routes(parts.entitlements, rooms_per_socket=parts.settings.rooms_per_socket),
        *reports.routes(parts.reports),
        *session.routes(parts.guards.auth, parts.entitlements),
    )


def create_app(
    settings: Settings,
    *,
    entitlements: Entitlements | None = None,
    reports: Reports | None = None,
    clock: Callable[[], float] = time.time,
) -> Application:
    """The good server, complete; the parameters are those of `create_parts`."""
    parts = create_parts(settings, entitlements=entitlements, reports=reports, clock=clock)
    return assemble(parts, [Gateway("/", parts.guards, create_routes(parts))])


def assemble(parts: Parts, gateways: Sequence[Gateway]) -> Application:
    """Puts namespaces behind one Socket.IO server and one HTTP port."""
    sio = create_sio(parts.settings, parts.guards.metrics, create_manager(parts, gateways))
    for namespace in (*gateways, NoSuchNamespace(parts.guards)):
        sio.register_namespace(namespace)
    doors = ConnectionLimits(parts.settings, parts.guards.elsewhere)
    admission = Admission(parts.settings, doors, parts.guards.metrics)
    public = web.Application(middlewares=[admission.middleware()])
    public.router.add_get("/healthz", healthz)
    sio.attach(public, SOCKETIO_PATH)
    return Application(
        parts.settings,
        sio,
        public,
        admission,
        doors,
        parts.guards,
        gateways,
        parts.reports,
        parts.guards.clock,
        parts.link,
    )


def create_manager(parts: Parts, gateways: Sequence[Gateway]) -> Any:
    """Who is in which room: the engine's or the library's, of one process or of several; None is the library's."""
    is_engine = parts.settings.delivery == "engine"
    if parts.link is None:
        return RoomManager() if is_engine else None
    from .cluster.client_managers import ClusterRoomManager, ClusterStockManager

    closing = {gateway.namespace: gateway.close_one_of for gateway in gateways}
    return (ClusterRoomManager if is_engine else ClusterStockManager)(parts.link, closing)


def create_sio(settings: Settings, metrics: Metrics, manager: Any) -> Any:
    """The library's server, with every setting that is not safe by default set, on the chosen delivery path."""
    is_engine = settings.delivery == "engine"
    sio = socketio.AsyncServer(
        client_manager=manager,
        async_mode="aiohttp",
        transports=list(settings.transports),
        serializer=SafePacket,
        # all are taken, so that those not served are refused by us, with a code and a closed transport
        namespaces="*",
        # one client's events are handled one at a time, in order; a slow one holds back that client alone
        async_handlers=False,
        ping_interval=settings.ping_interval_seconds,
        ping_timeout=settings.ping_timeout_seconds,
        max_http_buffer_size=settings.max_frame_bytes,
        # origins are judged before the upgrade, by admission
        cors_allowed_origins=[],
        allow_upgrades="polling" in settings.transports,
        logger=False,
        engineio_logger=False,
    )
    strays.watch(sio, settings, metrics)
    if is_engine:
        gathering = WriteBatcher(settings, on_slow=lambda reason: metrics.slow_readers.labels(reason).inc())
        metrics.outbox_bytes.set_function(lambda: gathering.owed_bytes)
        websocket.install(sio, gathering)
    return sio


async def healthz(request: web.Request) -> web.Response:
    """Says that the process lives, and nothing more."""
    return web.Response(text="ok\n")
