"""One tab of `lab live`'s page: a Socket.IO client behind a proxy.

The proxy can cut the tab's connection, or stop forwarding its data.
"""

import contextlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import socketio

from lab.clients.inbox import Received
from lab.clients.tab import Person, ReconnectDelays, Tab
from lab.live.plug import Plug
from lab.servers.probe import FENCE
from lab.servers.target import Target

# sent once by the page of mistake 03; a server without this event refuses it, which is harmless
SESSION_LOGIN = "session:login"
LOGIN_SECONDS = 2.0
FENCE_SECONDS = 1.5


@dataclass
class LiveTab:
    """A simulated browser tab of `lab live`'s page, with its own proxy.

    `plug` is the proxy between the tab and the server. It can cut the connection, or stop forwarding data.
    """

    name: str
    tab: Tab
    plug: Plug
    is_closed: bool = False

    @property
    def user(self) -> str:
        """Return the user of the tab."""
        return self.tab.user

    @property
    def sid(self) -> str | None:
        """Return the client's present socket id, or None without a connection."""
        return None if self.is_closed else self.tab.sid

    @property
    def state(self) -> str:
        """Return `connected`, `cut`, `silent` or `closed`.

        `cut` means that the tab has no connection. `silent` means that its proxy forwards nothing. `closed` means that
        the user has closed the tab.
        """
        if self.is_closed:
            return "closed"
        if self.plug.state == "tunnel":
            return "silent"
        return "connected" if self.tab.sid is not None else "cut"

    @property
    def can_receive(self) -> bool:
        """Whether the tab is connected and its proxy forwards data."""
        return self.sid is not None and self.plug.state == "in"

    async def log_in(self) -> None:
        """Send the login event, as a page does after it has loaded."""
        with contextlib.suppress(TimeoutError, socketio.exceptions.SocketIOError):
            await self.tab.ask(SESSION_LOGIN, {}, timeout=LOGIN_SECONDS)

    async def fence(self, mark: str) -> None:
        """Wait until the tab has received all earlier emits.

        The server sends the event `FENCE` with the id `mark` after these emits, so they have arrived when this event
        arrives. After `FENCE_SECONDS`, return even if the event has not arrived.
        """
        with contextlib.suppress(TimeoutError):
            await self.tab.received(
                FENCE, where=lambda data: bool(data) and data["mark"] == mark, timeout=FENCE_SECONDS
            )

    async def close(self) -> None:
        """Close the tab, and its connection with it."""
        self.is_closed = True
        await self.tab.close()


async def add_tab(
    stack: AsyncExitStack,
    target: Target,
    person: Person,
    name: str,
    session: aiohttp.ClientSession,
    delays: ReconnectDelays,
    observe: Callable[[LiveTab, Received], None],
) -> LiveTab:
    """Return a new tab that is not connected yet.

    `observe` is called with the tab and each event that it receives, also for a connect and a disconnect. `delays` says
    how long the tab waits before it reconnects. When `stack` is closed, the tab and its proxy are closed, too.
    """
    plug = await stack.enter_async_context(Plug(*target.ports))
    tab = Tab(target, person, plug, session, reconnection=True, delays=delays)
    live = LiveTab(name, tab, plug)
    tab.inbox.observer = lambda received: observe(live, received)
    stack.push_async_callback(_close_quietly, live)
    return live


async def _close_quietly(live: LiveTab) -> None:
    if not live.is_closed:
        await live.close()
