"""Simulated browser tabs: real Socket.IO clients, each behind a `FaultyLink`.

A `FaultyLink` is a proxy that can break or delay the connection of the tab.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import socketio

from lab.clients.faulty_link import FaultyLink
from lab.clients.inbox import Inbox, Received
from lab.servers.target import Target

ACTIONS_AT_ONCE = 20
CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ReconnectDelays:
    """How long a client waits before it reconnects, in seconds.

    The delay doubles from `first` up to `longest` while attempts fail. A random time of at most `jitter` is added or
    subtracted.
    """

    first: float
    longest: float
    jitter: float

    def __str__(self) -> str:
        return f"{self.first:g} to {self.longest:g} s, ± {self.jitter:g} s"


# short and without jitter, so that a scenario ends soon and runs the same way each time
LAB_DELAYS = ReconnectDelays(0.05, 0.2, 0.0)
# the defaults of the client library; for scenarios whose numbers depend on the delays
STOCK_DELAYS = ReconnectDelays(1.0, 5.0, 0.5)


@dataclass(frozen=True, slots=True)
class Person:
    """A simulated user, with the claims of the user's token."""

    user: str
    role: str = "vendor"
    company: str | None = None
    rooms: tuple[str, ...] = ()


class Tab:
    """One simulated browser tab: a real Socket.IO client over WebSocket.

    Each tab connects through a separate `FaultyLink`, a proxy that can break the connection. When the server has
    several processes, a tab that lost its connection reconnects to another process.
    """

    def __init__(
        self,
        target: Target,
        person: Person,
        link: FaultyLink,
        session: aiohttp.ClientSession,
        *,
        reconnection: bool = False,
        delays: ReconnectDelays = LAB_DELAYS,
    ) -> None:
        self.user = person.user
        self.person = person
        self.link = link
        self.inbox = Inbox()
        self.ids: list[str] = []
        self.target = target
        self._client = socketio.AsyncClient(
            reconnection=reconnection,
            reconnection_delay=delays.first,
            reconnection_delay_max=delays.longest,
            # in this library it is a time in seconds, not a factor
            randomization_factor=delays.jitter,
            # our own session, because the library does not close its session when a connection is lost while it opens
            http_session=session,
            # the library's Ctrl-C handler cancels every task of the process, also those that stop the servers
            handle_sigint=False,
        )
        self._client.on("connect", self._connected, namespace=target.namespace)
        self._client.on("disconnect", self._disconnected, namespace=target.namespace)
        self._client.on("*", self.inbox.add, namespace=target.namespace)

    @property
    def sid(self) -> str | None:
        """Current Socket.IO id of the tab, or None when disconnected."""
        return self.ids[-1] if self._client.connected and self.ids else None

    @property
    def connects(self) -> int:
        """How often the tab has connected, the first time included."""
        return len(self.ids)

    def set_delays(self, delays: ReconnectDelays) -> None:
        """Use other delays from the next reconnect on."""
        self._client.reconnection_delay = delays.first
        self._client.reconnection_delay_max = delays.longest
        self._client.randomization_factor = delays.jitter

    async def connect(self) -> None:
        """Connect the tab to the server.

        Raises `socketio.exceptions.ConnectionError` when the server refuses the connection.
        """
        person = self.person
        token = self.target.token(person.user, person.role, company=person.company, rooms=person.rooms)
        await self._client.connect(
            f"http://127.0.0.1:{self.link.port}",
            auth={"token": token},
            transports=["websocket"],
            namespaces=[self.target.namespace],
            wait_timeout=CONNECT_SECONDS,
        )

    def _connected(self) -> None:
        self.ids.append(self._client.get_sid(self.target.namespace))
        self.inbox.add("connect", None)

    def _disconnected(self, reason: str) -> None:
        self.inbox.add("disconnect", reason)

    async def connected(self, times: int = 1, *, timeout: float = CONNECT_SECONDS) -> None:
        """Wait until the tab has connected `times` times in total.

        Raises `TimeoutError` after `timeout` seconds.
        """
        await self.inbox.wait("connect", times, timeout=timeout)

    async def ask(self, event: str, data: Any, *, timeout: float = 5.0) -> dict[str, Any]:
        """Send an event to the server and return its ack.

        If the ack is not a dict, return `{}`. Raises `TimeoutError` when no ack arrives within `timeout` seconds.
        """
        try:
            ack = await self._client.call(event, data, namespace=self.target.namespace, timeout=timeout)
        except socketio.exceptions.TimeoutError:
            raise TimeoutError(f"no ack to {event}") from None
        return ack if isinstance(ack, dict) else {}

    async def send(self, event: str, data: Any) -> None:
        """Send an event to the server without asking for an ack."""
        await self._client.emit(event, data, namespace=self.target.namespace)

    async def received(
        self, event: str, count: int = 1, *, where: Callable[[Any], bool] = lambda data: True, timeout: float = 5.0
    ) -> list[Received]:
        """Wait until the tab has received `count` events with this name.

        `where` selects events by their data. Returns all selected events received so far. Raises `TimeoutError` after
        `timeout` seconds.
        """
        return await self.inbox.wait(event, count, where=where, timeout=timeout)

    async def close(self) -> None:
        """Close the tab with a TCP reset, and stop its reconnects."""
        self._client.reconnection = False
        # the link first: over a dead link the closing handshake would wait for its timeout
        await self.link.cut()
        with contextlib.suppress(Exception):
            await self._client.shutdown()


def assign_processes(people: Sequence[Person], processes: int) -> list[int]:
    """Return the server process to which each browser tab first connects.

    The result has the index of a process per tab. `people` has the user of each tab, in the same order. The tabs of one
    user are spread over the processes. Users are assigned in pairs: the first tabs of both users of a pair are on the
    same process. So, when each user writes to the next user, half of the messages stay within one process.
    """
    assigned: list[int] = []
    tabs_of: dict[str, int] = {}
    order: dict[str, int] = {}
    for person in people:
        index, earlier_tabs = order.setdefault(person.user, len(order)), tabs_of.get(person.user, 0)
        tabs_of[person.user] = earlier_tabs + 1
        assigned.append((index // 2 + earlier_tabs) % processes)
    return assigned


@asynccontextmanager
async def tabs(
    target: Target,
    people: Sequence[Person],
    *,
    each: int = 1,
    reconnection: bool = False,
    delays: ReconnectDelays = LAB_DELAYS,
) -> AsyncIterator[list[Tab]]:
    """Open and connect simulated browser tabs.

    Every person in `people` gets as many tabs as `each` says. Yields the tabs in the order of `people`. With
    `reconnection`, a tab that loses its connection reconnects after `delays`. All tabs are closed when the
    `async with` block ends, even after an error.
    """
    async with contextlib.AsyncExitStack() as stack:
        opened: list[Tab] = []
        session = await stack.enter_async_context(client_session())
        wanted = [person for person in people for _ in range(each)]
        for person, process in zip(wanted, assign_processes(wanted, len(target.ports)), strict=True):
            link = await stack.enter_async_context(FaultyLink(*target.ports[process:], *target.ports[:process]))
            opened.append(Tab(target, person, link, session, reconnection=reconnection, delays=delays))
        try:
            await gather_bounded([tab.connect for tab in opened])
            yield opened
        finally:
            await asyncio.gather(*(tab.close() for tab in opened))


@asynccontextmanager
async def client_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open an HTTP session for the `async with` block.

    When the block ends, all connections of the session are closed. This is necessary because the Socket.IO library
    leaves some connections open: connections that were lost during the handshake, and connections that became silent.
    """
    responses: list[aiohttp.ClientResponse] = []

    async def keep(_session: object, _context: object, end: aiohttp.TraceRequestEndParams) -> None:
        responses.append(end.response)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(keep)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, trace_configs=[trace]) as session:
        try:
            yield session
        finally:
            for response in responses:
                response.close()


async def gather_bounded(
    actions: Iterable[Callable[[], Awaitable[Any]]], *, at_once: int = ACTIONS_AT_ONCE
) -> list[Any]:
    """Run all actions, at most `at_once` at the same time.

    Returns their results in the order of the actions.
    """
    semaphore = asyncio.Semaphore(at_once)

    async def run(action: Callable[[], Awaitable[Any]]) -> Any:
        async with semaphore:
            return await action()

    return await asyncio.gather(*(run(action) for action in actions))
