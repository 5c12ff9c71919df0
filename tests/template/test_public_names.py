"""Tests that public names do not change.

Programs of other people import these names.
"""

import importlib
import inspect
from dataclasses import fields

import aiohttp.web
import pytest
from pydantic import SecretStr

import bad_server.app
from good_server import app, errors, events, rooms
from good_server.cluster.redis_cluster import HEALTH, RedisCluster
from good_server.cluster_protocol import SingleProcess
from good_server.gateway import Gateway, Request, Route
from good_server.handlers import chat, driver, reports, session, system, tracking
from good_server.handlers import rooms as rooms_handler
from good_server.observability import Metrics
from good_server.settings import Settings

NAMES = {
    "good_server.app": ["Application", "Parts", "assemble", "create_app", "create_parts"],
    "good_server.settings": ["Settings", "SettingsError", "load_settings"],
    "good_server.__main__": ["add_workers", "run"],
    "good_server.gateway": ["Gateway", "Request", "Route"],
    "good_server.handlers.chat": ["compose", "deliver", "routes"],
    "good_server.rooms": [
        "user_room",
        "role_room",
        "company_room",
        "topic_room",
        "everyone",
        "followers_of",
        "rooms_at_connect",
        "base_rooms",
    ],
    "good_server.services.reports": ["compose"],
    "good_server.services.cpu": ["burn"],
}
# the parameters without a default, then the others
ROUTES = {
    chat: ["recent", "delivery"],
    driver: [],
    reports: ["reports"],
    rooms_handler: ["entitlements", "rooms_per_socket"],
    session: ["auth", "entitlements"],
    system: [],
    tracking: [],
}
PARAMETERS = {
    app.create_app: ["settings", "entitlements", "reports", "clock"],
    app.create_parts: ["settings", "entitlements", "reports", "clock"],
    app.assemble: ["parts", "gateways"],
    chat.compose: ["request", "chat"],
    chat.deliver: ["request", "chat"],
    rooms.user_room: ["user"],
    rooms.role_room: ["role"],
    rooms.company_room: ["company"],
    rooms.topic_room: ["name"],
    rooms.everyone: [],
    rooms.followers_of: ["driver"],
    rooms.base_rooms: ["identity"],
    rooms.rooms_at_connect: ["identity"],
    Gateway: ["namespace", "guards", "routes"],
    Gateway.joined: ["self", "request"],
    Gateway.left: ["self", "request"],
    Gateway.read: ["self", "route", "arguments"],
    Gateway.check_rate: ["self", "identity", "route"],
    Gateway.send: ["self", "event", "message", "to", "skip"],
    Gateway.sids_in: ["self", "room"],
    Gateway.state_of: ["self", "sid"],
    Gateway.close: ["self", "sid"],
    Request.emit: ["self", "event", "message", "to", "also_to_me"],
    Request.address: ["self", "rooms"],
    Request.rooms: ["self"],
    Request.join: ["self", "room"],
    Request.leave: ["self", "room"],
    Route: ["event", "payload", "handler", "roles", "rate", "after_expiry"],
}
REQUEST_MEMBERS = {"identity", "sid", "at", "emit", "address", "rooms", "join", "leave"}
PARTS_FIELDS = {"settings", "guards", "reports", "recent", "entitlements"}
EVENTS = {
    "CHAT_SEND": "chat:send",
    "TRACKING_UPDATE": "tracking:update",
    "DRIVER_STATUS": "driver:status",
    "SYSTEM_ANNOUNCE": "system:announce",
    "ROOM_JOIN": "room:join",
    "ROOM_LEAVE": "room:leave",
    "REPORT_REQUEST": "report:request",
    "AUTH_REFRESH": "auth:refresh",
    "CHAT_MESSAGE": "chat:message",
    "TRACKING_POSITION": "tracking:position",
    "DRIVER_STATUS_CHANGED": "driver:status_changed",
    "SYSTEM_ANNOUNCEMENT": "system:announcement",
    "REPORT_READY": "report:ready",
    "AUTH_EXPIRING": "auth:expiring",
    "SERVER_CLOSING": "server:closing",
    "SESSION_EVICTED": "session:evicted",
}
REFUSALS = {
    "Invalid": "invalid",
    "Forbidden": "forbidden",
    "RateLimited": "rate_limited",
    "UnknownEvent": "unknown_event",
    "TooManyRooms": "too_many_rooms",
    "Busy": "busy",
    "TimedOut": "timeout",
    "Unauthorized": "unauthorized",
    "TokenExpired": "token_expired",
    "UnknownNamespace": "unknown_namespace",
    "Internal": "internal",
}
METRICS = {
    "server_connections",
    "server_connects_total",
    "server_closes_total",
    "server_slow_readers_total",
    "server_outbox_bytes",
    "server_events_total",
    "server_handler_seconds",
    "server_evictions_total",
    "server_loop_lag_seconds",
    "server_out_of_files_total",
}
REDIS_METRICS = {
    "server_redis_up",
    "server_redis_published_total",
    "server_redis_lost_total",
    "server_redis_heard_total",
}
WITH_REDIS = Settings.model_construct(redis_url=SecretStr("redis://127.0.0.1:6379/0"))
# the words of `/readyz`, and whether they come with status 200; a server that drains answers 503 `closing`
READINESS = {"ready": True, "degraded": True, "deaf": False}
SETTINGS = """
    env host port internal_host internal_port log_level transports
    jwt_secret jwt_public_key jwt_jwks_url jwt_algorithms jwt_type jwt_issuer jwt_audience jwt_leeway_seconds
    allowed_origins trusted_proxies ping_interval_seconds ping_timeout_seconds handshake_seconds
    max_frame_bytes max_token_bytes delivery gather_milliseconds outbox_bytes outbox_messages write_seconds
    events_per_second chat_per_second tracking_per_second burst_seconds refusals_per_minute malformed_frames
    rooms_per_socket sockets_per_user sockets_per_address connections connects_per_second
    redis_url redis_prefix redis_seconds redis_deaf_seconds redis_waiting
    handler_seconds expiry_notice_seconds expiry_grace_seconds token_life_seconds
    report_workers reports_waiting report_seconds shutdown_seconds
"""
# each module of the bad server, and the hook methods and other public names of its own
MISTAKES = {
    "mistake_01_stores_socket_ids": ["joined", "deliver"],
    "mistake_02_emits_to_a_socket_id": ["request_report"],
    "mistake_03_joins_the_room_once": ["joined", "log_in"],
    "mistake_04_saves_membership_in_a_database": ["joined", "left", "deliver"],
    "mistake_05_cleans_up_by_hand": ["joined", "left", "deliver"],
    "mistake_06_broadcasts_to_everyone": ["update", "deliver"],
    "mistake_07_blocks_the_second_tab": ["joined", "end_older_sessions"],
    "mistake_08_trusts_the_client": ["join", "send_chat"],
    "mistake_09_works_in_the_handler": ["make_report"],
    "mistake_10_forgets_limits": ["check_rate", "read"],
}
OTHER_CLASSES = {
    "mistake_03_joins_the_room_once": "SessionLogin",
    "mistake_08_trusts_the_client": "ChatFrom",
    "mistake_10_forgets_limits": "PublicJobs",
}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_a_name_may_be_imported(module, name):
    assert callable(getattr(importlib.import_module(module), name))


def parameters(function):
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize("function", PARAMETERS, ids=lambda function: function.__qualname__)
def test_a_function_takes_the_parameters_that_it_took(function):
    wanted = PARAMETERS[function]
    assert parameters(function)[: len(wanted)] == wanted
    # those that came later have a default
    later = list(inspect.signature(function).parameters.values())[len(wanted) :]
    assert [parameter.name for parameter in later if parameter.default is parameter.empty] == []


@pytest.mark.parametrize("module", ROUTES, ids=lambda module: module.__name__)
def test_a_handler_has_routes(module):
    assert parameters(module.routes) == ROUTES[module]


def test_a_server_has_a_public_aiohttp_application():
    assert isinstance(app.create_app(Settings.model_construct()).public, aiohttp.web.Application)


def test_run_takes_a_name_settings_and_a_function():
    assert parameters(importlib.import_module("good_server.__main__").run) == ["name", "settings", "create", "workers"]


def test_a_request_has_its_members():
    assert {name for name in REQUEST_MEMBERS if not hasattr(Request, name)} == set()


def test_a_gateway_has_guards():
    parts = app.create_parts(Settings.model_construct())
    assert Gateway("/", parts.guards).guards is parts.guards


def test_parts_have_their_fields():
    assert {field.name for field in fields(app.Parts)} >= PARTS_FIELDS
    assert app.create_parts(Settings.model_construct()).link is None


def test_the_event_constants_keep_name_and_value():
    assert {name: getattr(events, name) for name in EVENTS} == EVENTS


def test_the_refusals_keep_name_and_code():
    assert {name: getattr(errors, name).code for name in REFUSALS} == REFUSALS
    assert all(issubclass(getattr(errors, name), errors.Refusal) for name in REFUSALS)


def exposed(metrics):
    return {line.split()[2] for line in metrics.exposition().decode().splitlines() if line.startswith("# TYPE ")}


def test_the_metrics_keep_their_names():
    assert exposed(Metrics()) >= METRICS
    metrics = Metrics()
    RedisCluster(WITH_REDIS, metrics)
    assert exposed(metrics) >= METRICS | REDIS_METRICS


def test_readiness_keeps_its_words():
    assert {health.word: health.is_ready for health in HEALTH.values()} == READINESS
    assert SingleProcess(Settings.model_construct()).health() == (True, "ready")


def test_the_settings_keep_their_names():
    assert set(SETTINGS.split()) - Settings.model_fields.keys() == set()
    assert Settings.model_config["env_prefix"] == "SERVER_"


def test_every_mistake_keeps_its_module():
    assert [module.__name__.partition(".")[2] for module in bad_server.app.MISTAKES] == list(MISTAKES)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_keeps_its_handlers_and_classes(name):
    module = importlib.import_module(f"bad_server.{name}")
    assert issubclass(module.Handlers, Gateway)
    assert parameters(module.Handlers) == ["namespace", "parts"]
    assert set(MISTAKES[name]) - vars(module.Handlers).keys() == set()
    assert hasattr(module, OTHER_CLASSES.get(name, "Handlers"))
