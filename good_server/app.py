"""Bootstrap: builds the whole Socket.IO server from its settings."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import socketio
from aiohttp import web

from .admission import Admission
from .auth import TokenAuth
from .authenticator import Authenticator, CustomAuth, ManagedAuthenticator
from .cluster_protocol import Cluster, SingleProcess
from .connection_limits import ConnectionLimits
from .delivery_protocol import Delivery, StockDelivery
from .gateway import Gateway, Guards, Membership, NoSuchNamespace, OnError, Route, stray_packets
from .handlers import chat, driver, reports, rooms, session, system, tracking
from .idempotency import IdempotencyCache
from .listener import note_request
from .observability import LibraryLog, Metrics
from .optional_parts import has_part, require_part
from .orders import NAMESPACE
from .packets import Json, SafePacket
from .rooms import Entitlements
from .route_checks import add_http_routes, check_routes
from .services.entitlements import TokenEntitlements
from .services.reports import NoReports, Reports
from .services.service import Service
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
    services: Sequence[Service] = field(default_factory=list)

    @property
    def default_gateway(self) -> Gateway | None:
        """The object that handles the default namespace, or None. Messages from back ends go to this namespace."""
        return next((gateway for gateway in self.gateways if gateway.namespace == NAMESPACE), None)

    @cached_property
    def membership(self) -> Membership:
        """The object that carries out commands of back ends. For example, it disconnects a user."""
        return Membership(self.gateways, self.guards.cluster)


@dataclass(frozen=True)
class Parts:
    """The objects that event handlers use. They are created once per server."""

    settings: Settings
    guards: Guards
    reports: Reports
    recent: IdempotencyCache = field(default_factory=IdempotencyCache)
    entitlements: Entitlements = field(default_factory=TokenEntitlements)

    @property
    def link(self) -> Any:
        """The connection to Redis, or None without Redis. Your own handlers can use it."""
        return getattr(self.guards.cluster, "link", None)


def create_parts(
    settings: Settings,
    *,
    entitlements: Entitlements | None = None,
    reports: Reports | None = None,
    clock: Callable[[], float] = time.time,
    on_error: OnError | None = None,
    authenticator: Authenticator | None = None,
) -> Parts:
    """Create the objects that event handlers use, from the settings.

    Pass your own check of who may join a room as `entitlements`, and your own queue for slow jobs as `reports`. `clock`
    returns seconds since the epoch. `on_error(error, user=…, event=…, id=…)` is called for each unexpected error while
    a connect, event or disconnect is handled. `authenticator` decides who a client is; by default, the server verifies
    tokens. Raises `SettingsError` when a setting is wrong, or needs an optional folder that was deleted.
    """
    metrics = Metrics()
    cluster = create_cluster(settings, metrics, clock)
    auth = create_auth(settings, metrics, clock, authenticator)
    entitlements = entitlements or TokenEntitlements()
    guards = Guards(settings, auth, cluster, metrics, clock, on_error, entitlements)
    reports = reports or create_reports(settings, metrics)
    return Parts(settings, guards, reports, cluster.acks, entitlements)


def create_auth(
    settings: Settings, metrics: Metrics, clock: Callable[[], float], authenticator: Authenticator | None
) -> ManagedAuthenticator:
    """Return the object that identifies clients. It uses `authenticator`, or verifies tokens if that is None."""
    if isinstance(authenticator, TokenAuth):
        return authenticator
    if authenticator is not None:
        return CustomAuth(authenticator)
    published = SigningKeys(settings, metrics) if settings.jwt_jwks_url is not None else None
    return TokenAuth(settings, clock=clock, published=published)


def create_routes(parts: Parts) -> tuple[Route, ...]:
    """Return all routes: each has an event and its handler. For a new handler, add one line to this function."""
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
    authenticator: Authenticator | None = None,
    services: Sequence[Service] = (),
    routes: Sequence[web.AbstractRouteDef] = (),
) -> Application:
    """Build the complete server, which serves the default namespace.

    The functions `create_parts` and `assemble` describe the keyword parameters.
    """
    parts = create_parts(
        settings,
        entitlements=entitlements,
        reports=reports,
        clock=clock,
        on_error=on_error,
        authenticator=authenticator,
    )
    gateway = Gateway("/", parts.guards, create_routes(parts))
    return assemble(parts, [gateway], services=services, routes=routes)


def assemble(
    parts: Parts,
    gateways: Sequence[Gateway],
    *,
    services: Sequence[Service] = (),
    routes: Sequence[web.AbstractRouteDef] = (),
) -> Application:
    """Build one Socket.IO server that serves several namespaces on one HTTP port.

    Each of `gateways` serves one namespace. `parts` are the objects that handlers use. `services` are objects such as a
    database pool: they start before the first client connects, and stop after the last client has disconnected.
    `routes` are plain HTTP routes of aiohttp, served on the same port. Raises `SettingsError` if `gateways` or `routes`
    have a mistake: for example, if two handlers have the same event.
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
    # last: where one of these has a pattern that fits the paths above, too, the paths above win
    add_http_routes(public.router, routes)
    reports, clock = parts.reports, guards.clock
    return Application(settings, sio, public, admission, limits, guards, gateways, reports, clock, list(services))


def create_cluster(settings: Settings, metrics: Metrics, clock: Callable[[], float] = time.time) -> Cluster:
    """Return the object that shares state between processes through Redis.

    Without `SERVER_REDIS_URL`, there is only one process, and the object shares nothing.
    """
    if settings.redis_url is None:
        return SingleProcess(settings, metrics, clock)
    require_part("cluster", "SERVER_REDIS_URL")
    from .cluster.redis_cluster import RedisCluster

    return RedisCluster(settings, metrics, clock)


def create_delivery(settings: Settings, metrics: Metrics) -> Delivery:
    """Return the object that delivers messages to sockets.

    By default, this object is an `EngineDelivery`, which encodes each message once and limits each send queue. If
    `SERVER_DELIVERY` is `stock`, or if the folder `delivery/` was deleted, it is a `StockDelivery`, which leaves the
    work to python-socketio. Raises `SettingsError` if the folder was deleted and `SERVER_DELIVERY` is set to `engine`.
    """
    if "delivery" in settings.model_fields_set and settings.delivery == "engine":
        require_part("delivery", "SERVER_DELIVERY=engine")
    if settings.delivery == "stock" or not has_part("delivery"):
        return StockDelivery()
    from .delivery.engine import EngineDelivery

    return EngineDelivery(settings, on_slow=lambda reason: metrics.slow_readers.labels(reason).inc())


def create_reports(settings: Settings, metrics: Metrics) -> Reports:
    """Return the queue for reports, which are slow jobs that clients request.

    If the folder `reports/` was deleted, return `NoReports`, a queue that accepts no report.
    """
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
    """Answer the liveness check `/healthz` with status 200. The status means only that the process runs."""
    return web.Response(text="ok\n")
