"""Local web server of `lab live`'s page.

The live page shows the bad and the good server, and sends the same commands to both servers. The web server refuses
each request without the page's secret token. A page of another website has neither the token nor an allowed origin. A
request with another host name in its `Host` header is refused, even if that name points to this computer.
"""

import asyncio
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from importlib import resources
from importlib.resources.abc import Traversable

from aiohttp import web

from lab.live.session import Session
from lab.live.stream import Stream
from lab.live.wanted import ActionError

CONTENT_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# a notebook shows the page in a frame
FRAMES = "http://127.0.0.1:* http://localhost:*"
KEEP_ALIVE_SECONDS = 1.0
MOST_BODY_BYTES = 4096
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LivePage:
    """Serves `lab live`'s page to any number of browsers.

    The live page shows the bad and the good server, and sends the same commands to both servers. `session` runs these
    two servers.
    """

    def __init__(self, session: Session, *, port: int, token: str, files: Traversable | None = None) -> None:
        self.token = token
        self.port = port
        self._session = session
        self._files = files or resources.files("lab.live") / "page"
        self._actions: set[asyncio.Task[web.Response]] = set()
        self._streams: set[asyncio.Task[None]] = set()

    def app(self) -> web.Application:
        """Return the web application of `lab live`'s page.

        It refuses every request without the page's secret token, or from another origin or host.
        """
        app = web.Application(middlewares=[self._guard], client_max_size=MOST_BODY_BYTES)
        app.router.add_get("/", self._index)
        app.router.add_get("/page/{name}", self._file)
        app.router.add_get("/events", self._events)
        app.router.add_get("/state", self._state)
        app.router.add_post("/do", self._do)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        own = f"127.0.0.1:{self.port}"
        is_own = request.host == own and request.headers.get("Origin", f"http://{own}") == f"http://{own}"
        token = request.query.get("token", "")
        if not is_own or not hmac.compare_digest(token.encode(), self.token.encode()):
            return web.Response(status=403, text="this page is private: open it with the address that lab printed\n")
        return await handler(request)

    async def _index(self, request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(12)
        names = [path.name for path in self._files.iterdir() if path.name.endswith(".js")]
        imports = {f"/page/{name}": f"/page/{name}?token={self.token}" for name in names}
        import_map = f'<script type="importmap" nonce="{nonce}">{json.dumps({"imports": imports})}</script>'
        text = (self._files / "index.html").read_text("utf-8").replace("%TOKEN%", self.token)
        policy = f"default-src 'self'; script-src 'self' 'nonce-{nonce}'; frame-ancestors 'self' {FRAMES}"
        headers = _headers() | {"Content-Security-Policy": policy}
        text = text.replace("<head>", f"<head>{import_map}", 1)
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        # only names that the folder really has: no path leads out of it
        found = {path.name: path for path in self._files.iterdir()}
        kind = CONTENT_TYPES.get(f".{name.rpartition('.')[2]}")
        if name not in found or kind is None:
            return web.Response(status=404, text="there is no such file\n")
        return web.Response(body=found[name].read_bytes(), content_type=kind, charset="utf-8", headers=_headers())

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(self._session.state(), headers=_headers())

    async def _do(self, request: web.Request) -> web.Response:
        try:
            wanted = await request.json()
        except ValueError:
            wanted = None
        if not isinstance(wanted, dict):
            return _refuse("the body is a JSON object with an action")
        # a page that is closed during an action must not leave it half done
        task = asyncio.create_task(self._act(wanted))
        self._actions.add(task)
        task.add_done_callback(self._actions.discard)
        return await asyncio.shield(task)

    async def _act(self, wanted: dict[str, object]) -> web.Response:
        try:
            return web.json_response(await self._session.do(wanted), headers=_headers())
        except ActionError as error:
            return _refuse(str(error))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        stream = self._session.stream
        since = request.headers.get("Last-Event-ID") or request.query.get("since") or str(stream.seq)
        if not since.isdecimal():
            return _refuse("since is the number of an event")
        response = web.StreamResponse(headers=_headers() | {"Content-Type": "text/event-stream"})
        await response.prepare(request)
        tasks = {
            asyncio.create_task(_write_events(response, stream, int(since))),
            asyncio.create_task(_keep_alive(response)),
        }
        self._streams |= tasks
        try:
            # either ends when the page has gone
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._streams -= tasks
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return response

    async def end(self) -> None:
        """Cancel every running action, and end every event stream.

        An action is a command that the web page sent. An event stream tells a browser what happens on the servers.
        """
        tasks = [*self._actions, *self._streams]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _write_events(response: web.StreamResponse, stream: Stream, since: int) -> None:
    async for event in stream.read(since):
        await response.write(f"id: {event.seq}\ndata: {json.dumps(event.as_json())}\n\n".encode())


async def _keep_alive(response: web.StreamResponse) -> None:
    """Write comment lines to the event stream of a page, regularly.

    When the page has been closed, a write fails and this function returns.
    """
    while True:
        try:
            await response.write(b": alive\n\n")
        except ConnectionError:
            return
        await asyncio.sleep(KEEP_ALIVE_SECONDS)


def _headers() -> dict[str, str]:
    return {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


def _refuse(reason: str) -> web.Response:
    return web.json_response({"ok": False, "error": reason}, status=400, headers=_headers())
