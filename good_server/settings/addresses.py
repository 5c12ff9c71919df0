"""Checks of the settings for Redis and for trusted proxies."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check_proxies(proxies: Sequence[str]) -> None:
    """Raise `ValueError` if an entry of `SERVER_TRUSTED_PROXIES` is not valid.

    Each entry must be an IP address, or a network such as `10.0.0.0/8`.
    """
    try:
        for proxy in proxies:
            ipaddress.ip_network(proxy, strict=False)
    except ValueError:
        raise ValueError("SERVER_TRUSTED_PROXIES must be addresses or networks") from None


def check_redis_url(redis_url: SecretStr | None, *, is_production: bool) -> None:
    """Raise `ValueError` if `SERVER_REDIS_URL` is not valid.

    None is valid: the server then uses no Redis. In production, the URL of a Redis on another machine must contain a
    password.
    """
    if redis_url is None:
        return
    try:
        url = urlsplit(redis_url.get_secret_value())
        has_target = bool(url.path if url.scheme == "unix" else url.hostname)
        _ = url.port
    except ValueError:
        has_target = False
    if not has_target or url.scheme not in ("redis", "rediss", "unix"):
        raise ValueError("SERVER_REDIS_URL must be redis://host:port/0, rediss:// for TLS, or unix:///path")
    has_password = url.password or dict(parse_qsl(url.query)).get("password")
    is_open = not has_password and url.scheme != "unix" and url.hostname not in LOOPBACK
    if is_production and is_open:
        raise ValueError("SERVER_REDIS_URL has no password: any client that reaches it could write to everyone")
