"""Client sockets that speak Socket.IO without a client library."""

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
    """A client socket that speaks Socket.IO without a client library.

    It can send packets that a client library refuses to send. It also uses less memory and CPU time than a library.
    """

    socket: aiohttp.ClientWebSocketResponse
    namespace: str
    inbox: Inbox = field(default_factory=Inbox)
    acks: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _ack_ids: Any = field(default_factory=itertools.count)

    async def connect(self, token: str) -> dict[str, Any]:
        """Send a CONNECT packet and return the data of the server's answer.

        The data has the key `sid`. If the server refuses the connection, the data has the key `message` instead, and
        sometimes the key `data`.
        """
        await self.send_raw(f"40{self._prefix}" + orjson.dumps({"token": token}).decode())
        answers = await self.inbox.wait("CONNECT", timeout=CONNECT_SECONDS)
        return dict(answers[0].data)

    async def ask(self, event: str, *data: Any, timeout: float = 5.0) -> Any:
        """Send an event and return the first argument of its ack.

        Raises `TimeoutError` when no ack arrives within `timeout` seconds, and `ConnectionError` when the connection is
        closed.
        """
        number = next(self._ack_ids)
        future = self.acks[number] = asyncio.get_running_loop().create_future()
        await self.send_raw(f"42{self._prefix}{number}" + orjson.dumps([event, *data]).decode())
        try:
            async with asyncio.timeout(timeout):
                return await future
        finally:
            self.acks.pop(number, None)

    async def send(self, event: str, *data: Any) -> None:
        """Send an event to the server without asking for an ack."""
        await self.send_raw(f"42{self._prefix}" + orjson.dumps([event, *data]).decode())

    async def send_raw(self, text: str) -> None:
        """Send one Engine.IO packet unchanged.

        Raises `ConnectionError` when the connection is closed.
        """
        await self.socket.send_str(text)

    @property
    def _prefix(self) -> str:
        return "" if self.namespace == "/" else f"{self.namespace},"

    async def read(self) -> None:
        """Read packets from the server until the connection closes.

        Answers pings, adds events to `inbox`, and passes acks to the waiting calls of `ask`.
        """
        async for message in self.socket:
            if isinstance(message.data, str):
                await self._receive(message.data)
        for future in self.acks.values():
            if not future.done():
                future.set_exception(ConnectionResetError("the connection was closed"))
                # mark it as retrieved: maybe no caller waits for it any more, and then asyncio would log it
                future.exception()

    async def _receive(self, text: str) -> None:
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
    """Open a `RawTab` that has not sent its CONNECT packet.

    A `RawTab` is a client socket that uses no Socket.IO library. It is closed when the `async with` block ends. When
    the server has several processes, `number` selects the process: `number` modulo the number of processes.
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
