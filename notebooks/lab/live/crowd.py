"""A crowd: many simulated clients that connect through one proxy.

These clients do not reconnect by themselves.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import aiohttp

from good_server.roles import Role
from lab.clients.faulty_link import FaultyLink
from lab.clients.inbox import Received
from lab.clients.raw_tab import RawTab, raw_tab
from lab.clients.tab import gather_bounded
from lab.servers.probe import FENCE
from lab.servers.target import Target

FENCE_SECONDS = 3.0
# every tenth client is a driver
CLIENTS_A_DRIVER = 10


class Crowd:
    """Many simulated clients, of which every tenth reports positions.

    The clients that report positions belong to `company`. No client of the crowd needs to receive the positions. The
    clients do not reconnect by themselves. All clients connect through the proxy `link`, which counts the bytes that
    the clients receive. `observe` is called with the name of a client and each event that this client receives.
    """

    def __init__(
        self, target: Target, link: FaultyLink, observe: Callable[[str, Received], None], *, company: str
    ) -> None:
        self.link = link
        self.sids: dict[str, str] = {}
        self._target = replace(target, ports=(link.port,))
        self._observe = observe
        self._company = company
        self._members: dict[str, tuple[RawTab, AsyncExitStack]] = {}
        self._session: aiohttp.ClientSession | None = None

    @property
    def tabs(self) -> dict[str, RawTab]:
        """Return the clients by name."""
        return {name: tab for name, (tab, _) in self._members.items()}

    @property
    def drivers(self) -> list[str]:
        """Return the names of the clients that report positions."""
        return [name for name in self._members if is_driver(name)]

    async def resize(self, count: int) -> None:
        """Open or close clients until the crowd has `count` clients."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        names = [f"crowd/{number:03}" for number in range(1, count + 1)]
        leaving = [name for name in self._members if name not in names]
        await asyncio.gather(*(self._close(name) for name in leaving))
        await gather_bounded([lambda name=name: self._open(name) for name in names if name not in self._members])  # type: ignore[misc]

    async def fence(self, mark: str) -> None:
        """Wait until every client has received all earlier emits.

        The server sends the event `FENCE` with the id `mark` after these emits, so they have arrived when this event
        arrives. After `FENCE_SECONDS`, return even if the event has not arrived.
        """

        async def wait(tab: RawTab) -> None:
            await tab.inbox.wait(FENCE, where=lambda data: bool(data) and data["mark"] == mark, timeout=FENCE_SECONDS)

        await asyncio.gather(*(wait(tab) for tab, _ in self._members.values()), return_exceptions=True)

    async def close(self) -> None:
        """Close all clients."""
        await asyncio.gather(*(self._close(name) for name in list(self._members)))
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _open(self, name: str) -> None:
        stack = AsyncExitStack()
        assert self._session is not None
        tab = await stack.enter_async_context(raw_tab(self._session, self._target))
        claims: dict[str, Any] = {"role": Role.DRIVER, "company": self._company} if is_driver(name) else {}
        try:
            answer = await tab.connect(self._target.token(name.replace("/", "-"), **claims))
        except BaseException:
            await stack.aclose()
            raise
        self._members[name] = (tab, stack)
        self.sids[name] = answer.get("sid", "")
        tab.inbox.observer = lambda received: self._observe(name, received)

    async def _close(self, name: str) -> None:
        _, stack = self._members.pop(name)
        self.sids.pop(name, None)
        await stack.aclose()


def is_driver(name: str) -> bool:
    """Whether a client of this name, such as `crowd/011`, reports positions. Such a client is called a driver."""
    return int(name.partition("/")[2]) % CLIENTS_A_DRIVER == 1
