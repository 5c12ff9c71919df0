"""Connections to the Redis that `SERVER_REDIS_URL` names.

The URL is checked when the server starts. redis-py alone would find most mistakes in the URL only when it connects, and
then at each attempt.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from redis import asyncio as redis
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, RedisError

from .settings import Settings, SettingsError

# what redis-py raises without Redis; uvloop raises the last one for a connection that was just lost
CONNECTION_ERRORS = (RedisError, OSError, TimeoutError, RuntimeError)
# other options of redis-py would replace the timeouts and sizes that the server relies on
OPTIONS = frozenset({"db", "username", "password", "client_name", "protocol"})
TLS_OPTIONS = frozenset(
    {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_cert_reqs", "ssl_check_hostname"}
)
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
CHOICES = {
    "ssl_cert_reqs": ("none", "optional", "required"),
    "ssl_check_hostname": ("true", "false", "yes", "no", "1", "0"),
    "protocol": ("2", "3"),
}
# PUBLISH reaches a whole Redis Cluster, and keys do not; a Sentinel has no keys
UNSUPPORTED = {
    "cluster": "is a Redis Cluster, which is not supported: use one server, or a primary with replicas",
    "sentinel": "is a Sentinel, which is not supported: use a name or proxy that leads to the primary",
}


class FollowsPrimary:
    """Mixin that closes a connection to Redis after the error `READONLY`.

    After a failover, a former primary sends this error. The next connection resolves the host name again, and so finds
    the new primary.
    """

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*arguments, **options)  # type: ignore[misc]
        except ReadOnlyError:
            # the pool closes it when it is free
            self.mark_for_reconnect()  # type: ignore[attr-defined]
            raise


class TcpConnection(FollowsPrimary, Connection):
    """A TCP connection to Redis. After a failover, the next connection leads to the new primary."""


class TlsConnection(FollowsPrimary, SSLConnection):
    """A TLS connection to Redis. After a failover, the next connection leads to the new primary."""


class UnixConnection(FollowsPrimary, UnixDomainSocketConnection):
    """A connection to Redis over a unix socket."""


CONNECTIONS: dict[Any, type] = {SSLConnection: TlsConnection, UnixDomainSocketConnection: UnixConnection}


def connection_options(settings: Settings, **options: Any) -> dict[str, Any]:
    """Return the options of a redis-py connection pool.

    These are `options` and the options in the URL `SERVER_REDIS_URL`. If an option is in both, the URL's value is used.
    Raises `SettingsError` with one line if the URL has a mistake.
    """
    address = settings.redis_url.get_secret_value() if settings.redis_url is not None else ""
    _check(address)
    try:
        found = dict(parse_url(address))
    except ValueError as error:
        raise SettingsError(f"SERVER_REDIS_URL: {error}") from None
    found["connection_class"] = CONNECTIONS.get(found.get("connection_class"), TcpConnection)
    if found["connection_class"] is UnixConnection:
        # an option of TCP alone
        options.pop("socket_keepalive", None)
    if found["connection_class"] is TlsConnection:
        # without a password, OpenSSL would ask for one at the terminal
        options["ssl_password"] = ""
        _check_certificates(found)
    # one attempt each time: the server itself decides when to try again
    return options | {"retry": Retry(NoBackoff(), 0)} | found


def _check(address: str) -> None:
    url = urlsplit(address)
    if url.scheme == "unix" and url.hostname:
        raise SettingsError("SERVER_REDIS_URL: a unix socket has three slashes, unix:///path")
    if url.scheme != "unix" and url.path.strip("/") and not url.path[1:].isdecimal():
        raise SettingsError("SERVER_REDIS_URL: after the host comes only the number of the database, such as /0")
    try:
        pairs = parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))
    except ValueError:
        raise SettingsError("SERVER_REDIS_URL: what follows ? must be options such as db=1") from None
    _check_options(url.scheme, [name for name, _ in pairs], dict(pairs))


def _check_options(scheme: str, names: list[str], options: Mapping[str, str]) -> None:
    known = OPTIONS | TLS_OPTIONS if scheme == "rediss" else OPTIONS
    for name in names:
        if name in TLS_OPTIONS and name not in known:
            raise SettingsError(f"SERVER_REDIS_URL: the option {name} needs rediss://")
        if name not in known or names.count(name) > 1:
            raise SettingsError(f"SERVER_REDIS_URL: its options are {', '.join(sorted(known))}, each once")
        if name in CHOICES and options[name].lower() not in CHOICES[name]:
            raise SettingsError(f"SERVER_REDIS_URL: {name} must be one of {', '.join(CHOICES[name])}")
        if name in FILES and not Path(options[name]).is_file():
            raise SettingsError(f"SERVER_REDIS_URL: {name} names no file")
    if not options.get("db", "0").isdecimal():
        raise SettingsError("SERVER_REDIS_URL: db must be the number of a database")


def _check_certificates(options: Mapping[str, Any]) -> None:
    own = {name: value for name, value in options.items() if name in TLS_OPTIONS}
    try:
        SSLConnection(**{"ssl_password": ""} | own).ssl_context.get()
    except (OSError, RedisError, ValueError):
        raise SettingsError("SERVER_REDIS_URL: its certificate or key cannot be read") from None


async def require_one_server(settings: Settings) -> None:
    """Raise `SettingsError` if Redis is a Cluster or a Sentinel. If Redis does not answer, do nothing."""
    client = redis.Redis.from_pool(redis.ConnectionPool(**connection_options(settings)))
    try:
        async with asyncio.timeout(settings.redis_seconds), client:
            # not INFO, which an ACL may forbid
            answer = await client.execute_command("HELLO")  # type: ignore[no-untyped-call]
    except CONNECTION_ERRORS:
        return
    reason = UNSUPPORTED.get(_mode_of(answer))
    if reason is not None:
        raise SettingsError(f"SERVER_REDIS_URL: this server {reason}")


def _mode_of(answer: Any) -> str:
    # a list of names and values with protocol 2, a map with protocol 3
    fields = answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=False))
    mode = fields.get(b"mode", fields.get("mode", b""))
    return mode.decode() if isinstance(mode, bytes) else str(mode)
