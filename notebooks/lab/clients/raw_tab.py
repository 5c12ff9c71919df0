"""Answers for sockets without a client library: for what stock clients are too polite or too heavy for."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from lab.clients.inbox import Inbox
from lab.servers.target import Target

CONNECT_SECONDS = 10.0


@dataclass
class RawTab:
    """A socket without a client library: for what stock clients are too polite or too heavy for."""

    socket: aiohttp.ClientWebSocketResponse
    namespace: str
    inbox: Inbox = field(default_factory=Inbox)
    acks: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _ids: Any = field(default_factory=itertools.count)

    async def connect(self, token: str) -> dict[str, Any]:
        """Says CONNECT and returns the server's answer: `{"sid"}` or the error's `{"message", "data"?}`."""
        await self.send_raw(f"40{self._prefix}" + orjson.dumps({"token": token}).decode())
        answered = await self.inbox.wait("CONNECT", timeout=CONNECT_SECONDS)
        return dict(answered[0].data)

    async def ask(self, event: str, *data: Any, timeout: float = 5.0) -> Any:
        """Sends and returns the ack's first argument; `TimeoutError` or `ConnectionError` when none comes."""
        number = next(self._ids)
        future = self.acks[number] = asyncio.get_running_loop().create_future()
        await self.send_raw(f"42{self._prefix}{number}" + orjson.dumps([event, *data]).decode())
        try:
            async with asyncio.timeout(timeout):
                return await future
        finally:
            self.acks.pop(number, None)

    async def tell(self, event: str, *data: Any) -> None:
        """Sends and wants no ack."""
        await self.send_raw(f"42{self._prefix}" + orjson.dumps([event, *data]).decode())

    async def send_raw(self, text: str) -> None:
        """Sends one Engine.IO packet as it is; raises `ConnectionError` when the connection is closed."""
        await self.socket.send_str(text)

    @property
    def _prefix(self) -> str:
        return "" if self.namespace == "/" else f"{self.namespace},"

    async def read(self) -> None:
        """Answers pings and sorts what comes in, until the connection is closed."""
        async for message in self.socket:
            if isinstance(message.data, str):
                await self._take(message.data)
        for future in self.acks.values():
            if not future.done():
                future.set_exception(ConnectionResetError("the connection was closed"))
                # seen, as nobody may be waiting for it any more
                future.exception()

    async def _take(self, text: str) -> None:
        if text == "2":
            await self.send_raw("3")
        if not text.startswith("4"):
            return
        kind, body = text[1:2], text[2:].removeprefix(self._prefix)
        start = next((at for at, character in enumerate(body) if not character.isdigit()), len(body))
        data: Any = orjson.loads(body[start:]) if body[start:] else None
        if kind in ("0", "4"):
            self.inbox.add("CONNECT", data)
        elif kind == "2":
            self.inbox.add(data[0], data[1] if len(data) > 1 else None)
        elif kind == "3" and (future := self.acks.get(int(body[:start]))) is not None and not future.done():
            future.set_result(data[0] if data else None)


@asynccontextmanager
async def raw_tab(session: aiohttp.ClientSession, target: Target, *, number: int = 0) -> AsyncIterator[RawTab]:
    """A raw socket that is open and has not said CONNECT; it is closed when the block ends.

    Of a server's processes it goes to that with this number, counted round and round.
    """
    url = f"ws://127.0.0.1:{target.ports[number % len(target.ports)]}/socket.io/?EIO=4&transport=websocket"
    async with session.ws_connect(url, max_msg_size=0) as socket:
        tab = RawTab(socket, target.namespace)
        reader = asyncio.create_task(tab.read())
        try:
            yield tab
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
