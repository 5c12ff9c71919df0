"""HTTP application of the internal port: health checks, metrics, back ends' commands."""

from aiohttp import web

from .app import Application, healthz
from .listener import note_request
from .publish_http import MOST_BODY_BYTES, publish_routes

METRICS_HEADERS = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}


def failing_tasks(application: Application) -> set[str]:
    """Return the names of long-lived tasks that failed recently."""
    owners = (application.guards.background, application.guards.cluster, application.reports)
    return {name for owner in owners for name in getattr(owner, "failing", ())}


def internal_app(application: Application) -> web.Application:
    """Return the HTTP application of the internal port.

    It serves `/healthz`, `/readyz` and `/metrics`. If the setting `publish_token` is set and the server has the
    namespace `/`, back ends can send commands to this port, too. The internal port must never be public.
    """

    async def readyz(request: web.Request) -> web.Response:
        if application.admission.is_draining:
            return web.Response(status=503, text="closing\n")
        failing = failing_tasks(application)
        if failing:
            return web.Response(status=503, text=f"failing: {', '.join(sorted(failing))}\n")
        health, auth = application.guards.cluster.health(), application.guards.auth
        if health.is_ready and not auth.is_ready:
            # the issuer has never published a key, so that no token can be verified
            return web.Response(status=503, text="keyless\n")
        word = "degraded" if health.is_ready and auth.is_degraded else health.word
        return web.Response(status=200 if health.is_ready else 503, text=f"{word}\n")

    async def metrics(request: web.Request) -> web.Response:
        application.guards.metrics.connections.set(application.limits.connections)
        return web.Response(body=application.guards.metrics.exposition(), headers=METRICS_HEADERS)

    app = web.Application(middlewares=[note_request], client_max_size=MOST_BODY_BYTES)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    token, gateway = application.settings.publish_token, application.default_gateway
    if token is not None and gateway is not None:
        app.add_routes(publish_routes(token, gateway, application.membership))
    return app
