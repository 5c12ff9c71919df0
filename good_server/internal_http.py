"""The internal port: liveness, readiness and metrics for operators."""

import logging

from aiohttp import web

from .admission import HttpLog
from .app import Application, healthz
from .runtime import cannot_listen

METRICS_HEADERS = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}


def internal_app(application: Application) -> web.Application:
    """Return the HTTP application of the internal port, which is never public."""

    async def readyz(request: web.Request) -> web.Response:
        if application.admission.is_draining:
            return web.Response(status=503, text="closing\n")
        health, auth = application.guards.cluster.health(), application.guards.auth
        if health.is_ready and not auth.is_ready:
            # the issuer has never published a key, so that no token can be verified
            return web.Response(status=503, text="keyless\n")
        word = "degraded" if health.is_ready and auth.is_degraded else health.word
        return web.Response(status=200 if health.is_ready else 503, text=f"{word}\n")

    async def metrics(request: web.Request) -> web.Response:
        application.guards.metrics.connections.set(application.limits.connections)
        return web.Response(body=application.guards.metrics.exposition(), headers=METRICS_HEADERS)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


async def listen(app: web.Application, host: str, port: int, *, reuse_port: bool = False) -> web.AppRunner:
    """Serve an HTTP application on `host` and `port`. Raises an `OSError` that names the address."""
    log = HttpLog(logging.getLogger("aiohttp.server"))
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0, logger=log)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_port=reuse_port or None).start()
    except OSError as error:
        await runner.cleanup()
        raise cannot_listen(error, host, port) from None
    return runner


def url_of(runner: web.AppRunner) -> str:
    """Return the base URL of the application that `runner` serves."""
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
