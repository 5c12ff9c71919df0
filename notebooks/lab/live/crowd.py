"""Many light clients that only receive."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import aiohttp

from lab.clients.faulty_link import FaultyLink
from lab.clients.inbox import Received
from lab.clients.raw_tab import RawTab, raw_tab
from lab.clients.tab import gather_bounded
from lab.servers.probe import FENCE
from lab.servers.target import Target

FENCE_SECONDS = 3.0


class Crowd:
    """Clients of users who have nothing to do with the others.

    All of them connect through one link, which counts the bytes that they receive. `observe` is called with the name
    of a client and each event that it receives.
    """

    def __init__(self, target: Target, link: FaultyLink, observe: Callable[[str, Received], None]) -> None:
        self.link = link
        self.sids: dict[str, str] = {}
        self._target = replace(target, ports=(link.port,))
        self._observe = observe
        self._members: dict[str, tuple[RawTab, AsyncExitStack]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def resize(self, count: int) -> None:
        """Open or close clients until there are `count`."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        names = [f"crowd/{number:03}" for number in range(1, count + 1)]
        leaving = [name for name in self._members if name not in names]
        await asyncio.gather(*(self._close(name) for name in leaving))
        await gather_bounded([lambda name=name: self._open(name) for name in names if name not in self._members])  # type: ignore[misc]

    async def fence(self, mark: str) -> None:
        """Wait until every client has received the event with this mark."""

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
        self._members[name] = (tab, stack)
        answer = await tab.connect(self._target.token(name.replace("/", "-")))
        self.sids[name] = answer.get("sid", "")
        tab.inbox.observer = lambda received: self._observe(name, received)

    async def _close(self, name: str) -> None:
        _, stack = self._members.pop(name)
        self.sids.pop(name, None)
        await stack.aclose()
