"""Serves a live session until its page is closed."""

import asyncio
import contextlib
import socket
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from lab.live.arrangement import Arrangement
from lab.live.session import Session
from lab.live.web import LivePage
from lab.system.exit_codes import UsageError

# a page that is loaded again is away for less than a second
AWAY_SECONDS = 5.0
CLOSE_SECONDS = 1.0


@asynccontextmanager
async def live_page(arrangement: Arrangement, *, port: int = 0) -> AsyncIterator[tuple[LivePage, Session]]:
    """Run both servers and the web server during the block.

    `port` 0 chooses a free port. Raises `UsageError` when the port is in use.
    """
    listener = _listen(port)
    try:
        async with Session(arrangement) as session:
            page = LivePage(session)
            page.port = listener.getsockname()[1]
            runner = web.AppRunner(
                page.app(), access_log=None, handler_cancellation=True, shutdown_timeout=CLOSE_SECONDS
            )
            await runner.setup()
            try:
                await web.SockSite(runner, listener).start()
                yield page, session
            finally:
                await page.finish_actions()
                await runner.cleanup()
    finally:
        listener.close()


async def serve_until_closed(
    arrangement: Arrangement, *, port: int, is_browser_wanted: bool, say: Callable[[str], None]
) -> None:
    """Show the page, and end soon after it is closed."""
    async with live_page(arrangement, port=port) as (page, session):
        say(f"open {page.url}")
        if is_browser_wanted:
            await open_browser(page.url)
        await session.stream.wait_until_left(AWAY_SECONDS)
        say("the page was closed; every server is stopped")


async def open_browser(url: str) -> None:
    """Open the user's browser; without one the printed address is enough."""
    with contextlib.suppress(webbrowser.Error, OSError):
        await asyncio.to_thread(webbrowser.open, url)


def _listen(port: int) -> socket.socket:
    """Return a listening socket on the loopback address."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise UsageError(f"port {port} of 127.0.0.1 cannot be used: {error.strerror}") from None
    listener.setblocking(False)
    return listener
