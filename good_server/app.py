"""Bootstrap: builds the whole Socket.IO server from its settings."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import socketio
from aiohttp import web

from .admission import Admission
from .auth import TokenAuth
from .cluster_protocol import Cluster, SingleProcess
from .connection_limits import ConnectionLimits
from .delivery_protocol import Delivery, StockDelivery
from .gateway import Gateway, Guards, NoSuchNamespace, OnError, Route, stray_packets
from .handlers import chat, driver, reports, rooms, session, system, tracking
from .idempotency import IdempotencyCache
from .listener import note_request
from .observability import LibraryLog, Metrics
from .optional_parts import has_part, require_part
from .packets import Json, SafePacket
from .rooms import Entitlements
from .route_checks import check_routes
from .services.entitlements import TokenEntitlements
from .services.reports import NoReports, Reports
from .settings import Settings
from .signing_keys import SigningKeys


@dataclass(frozen=True)
class Application:
    """A server that is built but not started. `lifecycle.serve` runs it."""

    settings: Settings
    sio: socketio.AsyncServer
    public: web.Application
    admission: Admission
    limits: ConnectionLimits
    guards: Guards
    gateways: Sequence[Gateway]
    reports: Reports
    clock: Callable[[], float]


@dataclass(frozen=True)
class Parts:
    """The objects that handlers use. They are created once per server."""

    settings: Settings
    guards: Guards
    reports: Reports
    recent: IdempotencyCache = field(default_factory=IdempotencyCache)
    entitlements: Entitlements = field(default_factory=TokenEntitlements)

    @property
    def link(self) -> Any:
        """The connection to Redis, or None without Redis. Your own handlers may rely on this property."""
        return getattr(self.guards.cluster, "link", None)


def create_parts(
    settings: Settings,
    *,
    entitlements: Entitlements | None = None,
    reports: Reports | None = None,
    clock: Callable[[], float] = time.time,
    on_error: OnError | None = None,
) -> Parts:
    """Create the objects that handlers use, from the settings.

    Pass your own check of who may join a room as `entitlements`, and your own queue as `reports`. `clock` returns
    seconds since the epoch. `on_error(error, user=…, event=…, id=…)` is called for each unexpected error while a
    connect, event or disconnect is handled.
    Raises `SettingsError` when a setting needs an optional folder that was deleted.
    """
    metrics = Metrics()
    cluster = create_cluster(settings, metrics)
    published = SigningKeys(settings, metrics) if settings.jwt_jwks_url is not None else None
    auth = TokenAuth(settings, clock=clock, published=published)
    guards = Guards(settings, auth, cluster, metrics, clock, on_error)
    reports = reports or create_reports(settings, metrics)
    return Parts(settings, guards, reports, cluster.acks, entitlements or TokenEntitlements())


def create_routes(parts: Parts) -> tuple[Route, ...]:
    """Return the routes of all events. For a new handler, add one line to this function."""
    return (
        *chat.routes(parts.recent),
        *tracking.routes(),
        *driver.routes(),
        *system.routes(),
        *rooms.routes(parts.entitlements, rooms_per_socket=parts.settings.rooms_per_socket),
        *(() if isinstance(parts.reports, NoReports) else reports.routes(parts.reports)),
        *session.routes(parts.guards.auth, parts.entitlements),
    )


def create_app(
    settings: Settings,
    *,
    entitlements: Entitlements | None = None,
    reports: Reports | None = None,
    clock: Callable[[], float] = time.time,
    on_error: OnError | None = None,
) -> Application:
    """Build the complete server. The parameters are those of `create_parts`."""
    parts = create_parts(settings, entitlements=entitlements, reports=reports, clock=clock, on_error=on_error)
    return assemble(parts, [Gateway("/", parts.guards, create_routes(parts))])


def assemble(parts: Parts, gateways: Sequence[Gateway]) -> Application:
    """Build one Socket.IO server that serves several namespaces on one HTTP port.

    Each of `gateways` serves one namespace. `parts` are the objects that handlers use. Raises `SettingsError` if a
    route has a mistake: for example, if two routes have the same event.
    """
    check_routes(gateways)
    settings, guards = parts.settings, parts.guards
    delivery = create_delivery(settings, guards.metrics)
    sio = create_sio(settings, guards, delivery)
    for namespace in (*gateways, NoSuchNamespace(guards)):
        sio.register_namespace(namespace)
    limits = ConnectionLimits(settings, guards.cluster.counts)
    admission = Admission(settings, limits, delivery, guards.metrics, sio.eio)
    public = web.Application(middlewares=[note_request])
    public.router.add_get("/healthz", healthz)
    public.router.add_route("*", settings.path, admission.handle)
    return Application(settings, sio, public, admission, limits, guards, gateways, parts.reports, guards.clock)


def create_cluster(settings: Settings, metrics: Metrics) -> Cluster:
    """Return the state that server processes share. If `SERVER_REDIS_URL` is set, Redis stores it."""
    if settings.redis_url is None:
        return SingleProcess(settings)
    require_part("cluster", "SERVER_REDIS_URL")
    from .cluster.redis_cluster import RedisCluster

    return RedisCluster(settings, metrics)


def create_delivery(settings: Settings, metrics: Metrics) -> Delivery:
    """Return the object that delivers messages to sockets.

    That is an `EngineDelivery`. If `SERVER_DELIVERY` is `stock` or the folder `delivery/` was deleted, it is a
    `StockDelivery`. Raises `SettingsError` if the folder was deleted and `SERVER_DELIVERY` is set to `engine`.
    """
    if "delivery" in settings.model_fields_set and settings.delivery == "engine":
        require_part("delivery", "SERVER_DELIVERY=engine")
    if settings.delivery == "stock" or not has_part("delivery"):
        return StockDelivery()
    from .delivery.engine import EngineDelivery

    return EngineDelivery(settings, on_slow=lambda reason: metrics.slow_readers.labels(reason).inc())


def create_reports(settings: Settings, metrics: Metrics) -> Reports:
    """Return the queue of reports. If the folder `reports/` was deleted, return `NoReports`."""
    if not has_part("reports"):
        return NoReports()
    from .reports import create_reports

    return create_reports(settings, metrics)


def create_sio(settings: Settings, guards: Guards, delivery: Delivery) -> Any:
    """Create the Socket.IO server. Unsafe defaults of python-socketio are replaced."""
    sio = socketio.AsyncServer(
        client_manager=guards.cluster.client_manager(delivery.manager),
        async_mode="aiohttp",
        transports=list(settings.transports),
        serializer=SafePacket,
        json=Json,
        # their own loggers write raw text to stderr
        logger=LibraryLog("socketio"),
        engineio_logger=LibraryLog("engineio"),
        # all namespaces, so that this server refuses the unknown ones with a code and closes the transport
        namespaces="*",
        # one client's events run one at a time, in order; a slow one holds back that client alone
        async_handlers=False,
        ping_interval=settings.ping_interval_seconds,
        ping_timeout=settings.ping_timeout_seconds,
        max_http_buffer_size=settings.max_frame_bytes,
        # admission checks origins before the upgrade
        cors_allowed_origins=[],
        allow_upgrades="polling" in settings.transports,
    )
    stray_packets.count_strays(sio, settings, guards.metrics)
    delivery.install(sio)
    guards.metrics.outbox_bytes.set_function(lambda: delivery.owed_bytes)
    return sio


async def healthz(request: web.Request) -> web.Response:
    """Answer the liveness check `/healthz` with status 200. It shows only that the process runs."""
    return web.Response(text="ok\n")
