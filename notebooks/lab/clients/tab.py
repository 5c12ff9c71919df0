"""Answers for the simulated people: tabs, each a real Socket.IO client behind its own faulty link."""

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

OPENING_AT_ONCE = 20
CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Person:
    """A user to open tabs for."""

    user: str
    role: str = "vendor"
    company: str | None = None
    rooms: tuple[str, ...] = ()


class Tab:
    """One browser tab: a real client, WebSocket only, through a link of its own.

    On a server of several processes a lost connection comes back on another process than it was on.
    """

    def __init__(
        self,
        target: Target,
        person: Person,
        link: FaultyLink,
        session: aiohttp.ClientSession,
        *,
        reconnection: bool = False,
    ) -> None:
        self.user = person.user
        self.person = person
        self.link = link
        self.inbox = Inbox()
        self.ids: list[str] = []
        self.target = target
        self._client = socketio.AsyncClient(
            reconnection=reconnection,
            reconnection_delay=0.05,
            reconnection_delay_max=0.2,
            # seconds that the client adds at random, so none
            randomization_factor=0,
            # ours, as the library leaves its own open when a connection is lost at the wrong moment
            http_session=session,
            # its handler of Ctrl-C cancels every task of the process, those that end the servers too
            handle_sigint=False,
        )
        self._client.on("connect", self._connected, namespace=target.namespace)
        self._client.on("*", self.inbox.add, namespace=target.namespace)

    @property
    def sid(self) -> str | None:
        """The Socket.IO id it has now, or None."""
        return self.ids[-1] if self._client.connected and self.ids else None

    @property
    def connects(self) -> int:
        """How many times it was connected, the first included."""
        return len(self.ids)

    async def connect(self) -> None:
        """Raises `socketio.exceptions.ConnectionError` when it is refused."""
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

    async def connected(self, times: int = 1, *, timeout: float = CONNECT_SECONDS) -> None:
        """Waits until it has been connected that often in all."""
        await self.inbox.wait("connect", times, timeout=timeout)

    async def ask(self, event: str, data: Any, *, timeout: float = 5.0) -> dict[str, Any]:
        """Sends and returns the ack; raises `TimeoutError` when none comes."""
        try:
            ack = await self._client.call(event, data, namespace=self.target.namespace, timeout=timeout)
        except socketio.exceptions.TimeoutError:
            raise TimeoutError(f"no ack to {event}") from None
        return ack if isinstance(ack, dict) else {}

    async def tell(self, event: str, data: Any) -> None:
        """Sends and wants no ack."""
        await self._client.emit(event, data, namespace=self.target.namespace)

    async def received(
        self, event: str, count: int = 1, *, where: Callable[[Any], bool] = lambda data: True, timeout: float = 5.0
    ) -> list[Received]:
        """Waits until `count` of an event have arrived; raises `TimeoutError` otherwise."""
        return await self.inbox.wait(event, count, where=where, timeout=timeout)

    async def close(self) -> None:
        """Ends it, whatever state it is in: by a reset, not by a goodbye."""
        self._client.reconnection = False
        # the link first: over a dead one a goodbye would wait for its timeout
        await self.link.cut()
        with contextlib.suppress(Exception):
            await self._client.shutdown()


def assign_processes(people: Sequence[Person], processes: int) -> list[int]:
    """On which process the tab of each begins; several tabs of one user are on different processes.

    Users go there two by two: of neighbours in a ring as many are on the same process as are not.
    """
    found: list[int] = []
    tabs_of: dict[str, int] = {}
    order: dict[str, int] = {}
    for person in people:
        index, number = order.setdefault(person.user, len(order)), tabs_of.get(person.user, 0)
        tabs_of[person.user] = number + 1
        found.append((index // 2 + number) % processes)
    return found


@asynccontextmanager
async def tabs(
    target: Target, people: Sequence[Person], *, each: int = 1, reconnection: bool = False
) -> AsyncIterator[list[Tab]]:
    """Opens `each` connected tabs for every person, in order; closes all of them on every path."""
    asyncio.get_running_loop().set_exception_handler(_ignore_lost_handshakes)
    async with contextlib.AsyncExitStack() as stack:
        opened: list[Tab] = []
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        )
        wanted = [person for person in people for _ in range(each)]
        for person, place in zip(wanted, assign_processes(wanted, len(target.ports)), strict=True):
            link = await stack.enter_async_context(FaultyLink(*target.ports[place:], *target.ports[:place]))
            opened.append(Tab(target, person, link, session, reconnection=reconnection))
        try:
            await gather_bounded([tab.connect for tab in opened])
            yield opened
        finally:
            await asyncio.gather(*(tab.close() for tab in opened))


def _ignore_lost_handshakes(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The library forgets a connection that is lost while it opens; aiohttp would complain when that is collected."""
    if "client_connection" not in context:
        loop.default_exception_handler(context)


async def gather_bounded(
    actions: Iterable[Callable[[], Awaitable[Any]]], *, at_once: int = OPENING_AT_ONCE
) -> list[Any]:
    """Runs many actions, a few at once, and returns what they gave, in order."""
    gate = asyncio.Semaphore(at_once)

    async def run(action: Callable[[], Awaitable[Any]]) -> Any:
        async with gate:
            return await action()

    return await asyncio.gather(*(run(action) for action in actions))
