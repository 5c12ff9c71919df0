"""Answers for the simulated people: tabs, each a real Socket.IO client behind its own faulty link; and raw sockets."""

import asyncio
import contextlib
import itertools
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
import orjson
import socketio

from lab.network import Link
from lab.processes import process_context, start_process
from lab.servers import Target

OPENING_AT_ONCE = 20
CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Received:
    """One event a client got; `at_seconds` on the clock of the client's event loop."""

    event: str
    data: Any
    at_seconds: float


class Inbox:
    """What arrived, in order, and a way to wait for more."""

    def __init__(self) -> None:
        self.all: list[Received] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def add(self, event: str, *data: Any) -> None:
        """Takes one event in and wakes who waits; of several arguments, the first is kept."""
        self.all.append(Received(event, data[0] if data else None, asyncio.get_running_loop().time()))
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def of(self, event: str, where: Callable[[Any], bool] = lambda data: True) -> list[Received]:
        """What has arrived of one event so far."""
        return [received for received in self.all if received.event == event and where(received.data)]

    async def wait(
        self, event: str, count: int = 1, *, where: Callable[[Any], bool] = lambda data: True, timeout: float = 5.0
    ) -> list[Received]:
        """Waits until `count` have arrived; raises `TimeoutError` when they do not in `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while len(found := self.of(event, where)) < count:
                news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.add(news)
                try:
                    await news
                finally:
                    self._waiting.discard(news)
        return found


@dataclass(frozen=True, slots=True)
class Person:
    """A user to open tabs for."""

    user: str
    role: str = "vendor"
    company: str | None = None
    rooms: tuple[str, ...] = ()


class Tab:
    """One browser tab: a real client, WebSocket only, through a link of its own."""

    def __init__(
        self,
        target: Target,
        person: Person,
        link: Link,
        session: aiohttp.ClientSession,
        *,
        reconnection: bool = False,
    ) -> None:
        self.user = person.user
        self.person = person
        self.link = link
        self.inbox = Inbox()
        self.ids: list[str] = []
        self._target = target
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
        token = self._target.token(person.user, person.role, company=person.company, rooms=person.rooms)
        await self._client.connect(
            f"http://127.0.0.1:{self.link.port}",
            auth={"token": token},
            transports=["websocket"],
            namespaces=[self._target.namespace],
            wait_timeout=CONNECT_SECONDS,
        )

    def _connected(self) -> None:
        self.ids.append(self._client.get_sid(self._target.namespace))
        self.inbox.add("connect", None)

    async def connected(self, times: int = 1, *, timeout: float = CONNECT_SECONDS) -> None:
        """Waits until it has been connected that often in all."""
        await self.inbox.wait("connect", times, timeout=timeout)

    async def ask(self, event: str, data: Any, *, timeout: float = 5.0) -> dict[str, Any]:
        """Sends and returns the ack; raises `TimeoutError` when none comes."""
        try:
            ack = await self._client.call(event, data, namespace=self._target.namespace, timeout=timeout)
        except socketio.exceptions.TimeoutError:
            raise TimeoutError(f"no ack to {event}") from None
        return ack if isinstance(ack, dict) else {}

    async def tell(self, event: str, data: Any) -> None:
        """Sends and wants no ack."""
        await self._client.emit(event, data, namespace=self._target.namespace)

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
        for person in itertools.chain.from_iterable([person] * each for person in people):
            link = await stack.enter_async_context(Link(target.port))
            opened.append(Tab(target, person, link, session, reconnection=reconnection))
        try:
            await in_turns([tab.connect for tab in opened])
            yield opened
        finally:
            await asyncio.gather(*(tab.close() for tab in opened))


def _ignore_lost_handshakes(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The library forgets a connection that is lost while it opens; aiohttp would complain when that is collected."""
    if "client_connection" not in context:
        loop.default_exception_handler(context)


async def in_turns(actions: Iterable[Callable[[], Awaitable[Any]]], *, at_once: int = OPENING_AT_ONCE) -> list[Any]:
    """Runs many actions, a few at once, and returns what they gave, in order."""
    gate = asyncio.Semaphore(at_once)

    async def run(action: Callable[[], Awaitable[Any]]) -> Any:
        async with gate:
            return await action()

    return await asyncio.gather(*(run(action) for action in actions))


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
async def raw_tab(session: aiohttp.ClientSession, target: Target) -> AsyncIterator[RawTab]:
    """A raw socket that is open and has not said CONNECT; it is closed when the block ends."""
    url = f"ws://127.0.0.1:{target.port}/socket.io/?EIO=4&transport=websocket"
    async with session.ws_connect(url, max_msg_size=0) as socket:
        tab = RawTab(socket, target.namespace)
        reader = asyncio.create_task(tab.read())
        try:
            yield tab
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def in_own_process(function: Callable[..., Awaitable[Any]], *args: Any, timeout: float = 60.0) -> Any:
    """Runs a picklable coroutine function in a process of its own and returns what it gives, or raises what it raised.

    The process is ended when this is cancelled. Raises `TimeoutError` after `timeout` seconds, and `RuntimeError` when
    the process ended without a word or raised what cannot be pickled.
    """
    receiving, sending = Pipe(duplex=False)
    process = process_context().Process(target=_run_apart, args=(function, args, sending), daemon=True)  # type: ignore[attr-defined]
    try:
        with receiving:
            with sending:
                await start_process(process)
            if not await asyncio.to_thread(receiving.poll, timeout):
                raise TimeoutError(f"{function.__name__} took longer than {timeout:.0f} s")
            succeeded, result = receiving.recv()
    except EOFError:
        raise RuntimeError(f"{function.__name__} ended its process without a result") from None
    finally:
        if process.pid is not None:
            process.kill()
            process.join()
    if not succeeded:
        raise result
    return result


def _run_apart(function: Callable[..., Awaitable[Any]], args: Sequence[Any], pipe: Connection) -> None:
    from lab.probe import begin_child

    begin_child()
    try:
        pipe.send((True, asyncio.run(function(*args))))  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 - it is raised again where it was asked for
        pipe.send((False, _portable(error)))


def _portable(error: Exception) -> Exception:
    """The error itself, or its words where it does not survive the way: pickling may fail at either end."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - an error's own code runs here, and may raise anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
