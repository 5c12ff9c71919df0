"""Serves the built example page and its tokens, for development only.

In production, the page would get its tokens from your login service. The tokens of this program are signed with the
published development secret, so a server that has another secret refuses them.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web
from pydantic import ValidationError

from ...auth import make_token
from ...errors import Unauthorized
from ...roles import Role
from ...settings import Settings, SettingsError, load_settings

HOST = "127.0.0.1"
BUILT = Path(__file__).with_name("dist")
NOT_BUILT = "The page is not built: run `npm ci && npm run build` in the folder client.\n"
NO_STORE = {"Cache-Control": "no-store"}


def create_page(settings: Settings, server: str, folder: Path = BUILT) -> web.Application:
    """Build the application that serves the page and its tokens.

    `server` is the origin of the Socket.IO server, and `folder` holds the built page. Raises `SettingsError` if the
    settings are not those of a development server with the published secret.
    """
    if settings.env != "development" or not settings.has_published_secret:
        raise SettingsError("the example page is for development, and needs the published development secret")

    async def page(_: web.Request) -> web.StreamResponse:
        index = folder / "index.html"
        return web.FileResponse(index) if index.is_file() else web.Response(status=404, text=NOT_BUILT)

    async def config(_: web.Request) -> web.Response:
        return web.json_response({"server": server}, headers=NO_STORE)

    async def token(request: web.Request) -> web.Response:
        return web.json_response({"token": _token(settings, request.query)}, headers=NO_STORE)

    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/dev/config", config), web.get("/dev/token", token)])
    if folder.is_dir():
        app.router.add_static("/", folder)
    return app


def _token(settings: Settings, query: Mapping[str, str]) -> str:
    """Return the token that a request asks for. Raises `HTTPBadRequest` if a claim is malformed."""
    try:
        role, seconds = Role(query["role"]), int(query.get("seconds", "3600"))
        return make_token(settings, query["user"], role, company=query.get("company"), life_seconds=seconds)
    except (KeyError, ValueError, ValidationError, Unauthorized):
        raise web.HTTPBadRequest(text="user, role, company or seconds is missing or malformed\n") from None


def main(arguments: list[str] | None = None) -> int:
    """Serve the page until Ctrl-C or SIGTERM, and return the exit code. A wrong setting leads to exit code 2."""
    name = __package__ or ""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description="Serves the example page and its tokens.")
    parser.add_argument("--port", type=int, default=8020, help="the port of the page (8020)")
    parser.add_argument("--server", default="http://127.0.0.1:8000", help="the Socket.IO server (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        app = create_page(load_settings(), options.server)
        ready = f"the page is at http://{HOST}:{options.port}"
        web.run_app(app, host=HOST, port=options.port, print=lambda _: print(ready, flush=True))
    except (OSError, SettingsError) as error:
        print(f"{name}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
