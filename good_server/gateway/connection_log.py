"""Logs and counts the start and the end of each connection."""

from typing import Any

from ..admission import address_in, age_seconds
from ..observability import Metrics, log
from ..roles import Identity


def log_connected(metrics: Metrics, namespace: str, identity: Identity, environ: dict[str, Any]) -> None:
    """Count and log an accepted connect. The entry contains the seconds since the HTTP request arrived."""
    metrics.connects.labels("accepted").inc()
    who = {"user": identity.user, "role": identity.role}
    log.info("connected", namespace=namespace, **who, **_details(environ))


def log_disconnected(metrics: Metrics, namespace: str, user: str, environ: dict[str, Any] | None, reason: str) -> None:
    """Count and log a disconnect, with its `reason` and the connection's duration."""
    metrics.closes.labels(reason).inc()
    log.info("disconnected", namespace=namespace, user=user, reason=reason, **_details(environ))


def _details(environ: dict[str, Any] | None) -> dict[str, Any]:
    if environ is None:
        return {}
    return {"address": address_in(environ), "seconds": round(age_seconds(environ), 3)}
