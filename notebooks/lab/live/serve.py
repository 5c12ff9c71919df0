"""Serves `lab live`'s page until the browser has closed it."""

import asyncio
import contextlib
import secrets
import socket
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from lab.live.arrangement import Arrangement
from lab.live.session import Session
from lab.live.web import LivePage
from lab.system.exit_codes import UsageError

# a page that is loaded again is away for less than a second
AWAY_SECONDS = 5.0
CLOSE_SECONDS = 1.0


@dataclass(frozen=True)
class Address:
    """The address of a page: a listening socket and a secret token.

    The address is known before the servers run, so a browser may open it early and wait.
    """

    listener: socket.socket
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @classmethod
    def reserve(cls, port: int = 0) -> "Address":
        """Return an address on the loopback interface, and listen on its port.

        With port 0, the system chooses a free port. Raises `UsageError` when the port cannot be used.
        """
        listener = socket.socket(proto=socket.IPPROTO_TCP)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError as error:
            listener.close()
            raise UsageError(f"port {port} of 127.0.0.1 cannot be used: {error.strerror}") from None
        listener.setblocking(False)
        return cls(listener)

    @property
    def port(self) -> int:
        """Return the port of the page."""
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        """Return the URL of the page, with the secret token."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"


@asynccontextmanager
async def live_page(arrangement: Arrangement, address: Address) -> AsyncIterator[Session]:
    """Run `lab live`'s page with its servers during the `async with` block.

    `arrangement` says what the page shows. Yields the session, which runs actions on the bad and the good server.
    """
    try:
        async with Session(arrangement) as session:
            page = LivePage(session, port=address.port, token=address.token)
            runner = web.AppRunner(
                page.app(), access_log=None, handler_cancellation=True, shutdown_timeout=CLOSE_SECONDS
            )
            await runner.setup()
            try:
                await web.SockSite(runner, address.listener).start()
                yield session
            finally:
                await page.end()
                await runner.cleanup()
    finally:
        address.listener.close()


async def serve_until_closed(
    arrangement: Arrangement, address: Address, *, is_browser_wanted: bool, say: Callable[[str], None]
) -> None:
    """Serve `lab live`'s page, and return soon after it is closed.

    The live page shows a bad and a good server at work, side by side. `arrangement` says what it shows. `say` is called
    with a line for the user, such as the address of the page.
    """
    async with live_page(arrangement, address) as session:
        say(f"open {address.url}")
        if is_browser_wanted:
            await open_browser(address.url)
        await session.stream.wait_until_left(AWAY_SECONDS)
        say("the page was closed; every server is stopped")


async def open_browser(url: str) -> None:
    """Open `url` in the user's browser.

    If there is no browser, nothing happens: the user can open the printed address.
    """
    with contextlib.suppress(webbrowser.Error, OSError):
        await asyncio.to_thread(webbrowser.open, url)
