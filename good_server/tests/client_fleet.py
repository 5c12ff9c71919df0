"""Many light clients that send each message again until it is acked.

They get the URLs of running servers, and tokens. The tests judge what the clients recorded.
"""

import asyncio
import contextlib
import itertools
import json
import random
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from ..events import SERVER_CLOSING
from .stand_in import NOTE_RECEIVED, NOTE_SEND
from .wire import SOCKETIO

JOIN_SECONDS = 10.0
# longer than the deadline of a handler: a later ack never arrives
ACK_SECONDS = 6.0
# the longest pause before a reconnect; it is random, so that not all clients return at once
RETURN_SECONDS = 0.5
# a dead peer does not answer a close frame
CLOSE_SECONDS = 0.5
# the errors of a lost connection; `ClientError` is also a refused handshake
LOST = (aiohttp.ClientError, OSError, TimeoutError)
JOINED, REFUSED, EVENT, ACK = "40", "44", "42", "43"


class Line:
    """One connection to a server, without a client library.

    It calls `on_event(event, data)` for each received event. With `on_lost_ack` it acts like a client that lost its
    network but not its connection (half-open): after `server:closing`, each ack counts as lost and goes to
    `on_lost_ack(ack)` instead.
    """

    def __init__(self, url, socket, *, on_event, on_lost_ack=None):
        self.url = url
        self._socket, self._on_event, self._on_lost_ack = socket, on_event, on_lost_ack
        self._joined = asyncio.get_running_loop().create_future()
        self._acks = {}
        self._numbers = itertools.count()
        self._is_in_tunnel = False
        self.reading = asyncio.create_task(self._read())

    async def join(self, token):
        """Send CONNECT with this token. Raises `ConnectionError` when the server refuses it."""
        await self._socket.send_str(JOINED + json.dumps({"token": token}))
        async with asyncio.timeout(JOIN_SECONDS):
            await self._joined

    async def ask(self, event, data):
        """Send an event and return its ack. Raises an error of `LOST` when no ack arrives."""
        number = next(self._numbers)
        waiting = self._acks[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(f"{EVENT}{number}{json.dumps([event, data])}")
        async with asyncio.timeout(ACK_SECONDS):
            await asyncio.wait({waiting, self.reading}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise ConnectionResetError
        return waiting.result()

    async def _read(self):
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await self._take(message.data)
        if not self._joined.done():
            self._joined.set_exception(ConnectionResetError())
            # marked as retrieved, as possibly no task waits for it
            self._joined.exception()

    async def _take(self, text):
        if text == "2":
            await self._socket.send_str("3")
        elif text.startswith(EVENT):
            event, data = json.loads(text[len(EVENT) :])
            self._is_in_tunnel |= event == SERVER_CLOSING and self._on_lost_ack is not None
            self._on_event(event, data)
        elif text.startswith(ACK):
            number, _, body = text[len(ACK) :].partition("[")
            self._settle(int(number), json.loads("[" + body)[0])
        elif text.startswith(JOINED):
            self._joined.set_result(None)
        elif text.startswith(REFUSED):
            self._joined.set_exception(ConnectionRefusedError(text))

    def _settle(self, number, ack):
        if self._is_in_tunnel:
            self._on_lost_ack(ack)
        else:
            self._acks.pop(number).set_result(ack)


@asynccontextmanager
async def connected(http, url, token, *, on_event=lambda event, data: None, on_lost_ack=None):
    """Open a connection, and yield its `Line` after the server accepted it.

    Raises an error of `LOST` when the server refuses it.
    """
    timeout = aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS)
    async with asyncio.timeout(JOIN_SECONDS):
        socket = await http.ws_connect(url + SOCKETIO, timeout=timeout)
    async with socket:
        line = Line(url, socket, on_event=on_event, on_lost_ack=on_lost_ack)
        try:
            await line.join(token)
            yield line
        finally:
            line.reading.cancel()
            await asyncio.gather(line.reading, return_exceptions=True)


@dataclass
class Note:
    """A message that a client sends, and the answers of the servers."""

    text: str
    # the URLs it was sent to, in order; more than one means that it was sent again
    sent_to: list = field(default_factory=list)
    # (URL, the id from the server) of every positive ack, lost ones included
    acks: list = field(default_factory=list)
    # the codes of the negative acks
    refusals: list = field(default_factory=list)
    is_acked: bool = False


class Client:
    """A client that sends notes one after the other.

    It sends each note again, with the same id, until the note is acked.
    """

    def __init__(self, http, urls, user, token, to, *, pause_seconds, is_lossy):
        """With `is_lossy`, the client loses all acks after `server:closing`: see `Line`."""
        self.notes = []
        self.has_sent, self.is_last = asyncio.Event(), asyncio.Event()
        self._http, self._token, self._user, self._to = http, token, user, to
        self._urls = itertools.cycle(urls)
        self._pause_seconds, self._is_lossy = pause_seconds, is_lossy
        # the same pauses in every run
        self._random = random.Random(user)  # noqa: S311 - not a secret

    async def run(self):
        """Send notes until `is_last` is set and the last note is acked."""
        while not self._is_done():
            with contextlib.suppress(*LOST):
                await self._connect_once(next(self._urls))
            await asyncio.sleep(self._random.uniform(0, RETURN_SECONDS))

    async def _connect_once(self, url):
        on_lost_ack = self._keep_lost_ack if self._is_lossy else None
        async with connected(self._http, url, self._token, on_lost_ack=on_lost_ack) as line:
            while not (self._is_done() or line.reading.done()):
                await self._send_note(line)
                pause = self._random.uniform(0.5, 1.5) * self._pause_seconds
                await asyncio.wait({line.reading}, timeout=pause)

    def _is_done(self):
        return self.is_last.is_set() and (not self.notes or self.notes[-1].is_acked)

    async def _send_note(self, line):
        if not self.notes or self.notes[-1].is_acked:
            self.notes.append(Note(f"{self._user}/{len(self.notes)}"))
        note, number = self.notes[-1], len(self.notes)
        note.sent_to.append(line.url)
        ack = await line.ask(NOTE_SEND, {"to": self._to, "text": note.text, "id": str(number)})
        if not ack["ok"]:
            note.refusals.append(ack["error"]["code"])
            return
        note.acks.append((line.url, ack["data"]["id"]))
        note.is_acked = True
        self.has_sent.set()

    def _keep_lost_ack(self, ack):
        # only one note is in flight
        if ack["ok"]:
            self.notes[-1].acks.append((self.notes[-1].sent_to[-1], ack["data"]["id"]))


class Tab:
    """A browser tab that reconnects to one URL and keeps received texts."""

    def __init__(self, http, url, token):
        self.received = []
        # one item per successful connect
        self.arrivals = asyncio.Queue()
        self._http, self._url, self._token = http, url, token

    def times(self):
        """Return how often the tab received each text."""
        return Counter(self.received)

    async def run(self):
        """Stay connected, and reconnect when necessary, until the task is cancelled."""
        while True:
            with contextlib.suppress(*LOST):
                async with connected(self._http, self._url, self._token, on_event=self._keep) as line:
                    self.arrivals.put_nowait(self._url)
                    await asyncio.wait({line.reading})
            await asyncio.sleep(RETURN_SECONDS / 10)

    def _keep(self, event, data):
        if event == NOTE_RECEIVED:
            self.received.append(data["text"])


@asynccontextmanager
async def connected_tabs(http, urls, token):
    """Yield one connected tab of the token's user for each URL."""
    tabs = [Tab(http, url, token) for url in urls]
    tasks = [asyncio.create_task(tab.run()) for tab in tabs]
    try:
        for tab in tabs:
            await tab.arrivals.get()
        yield tabs
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def sending_clients(http, urls, tokens, to, *, pause_seconds):
    """Run one client per user in `tokens`; all send to user `to`.

    The mean pause between two notes of a client is `pause_seconds`. The block gets a list of all notes, which is filled
    after the block, when each client has received its last ack. The clients start at different URLs, and half of them
    lose acks: see `Client`.
    """
    notes, clients = [], []
    for number, (user, token) in enumerate(tokens.items()):
        start = number % len(urls)
        order, is_lossy = (*urls[start:], *urls[:start]), number // len(urls) % 2 == 1
        clients.append(Client(http, order, user, token, to, pause_seconds=pause_seconds, is_lossy=is_lossy))
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.run())
        for client in clients:
            await client.has_sent.wait()
        yield notes
        for client in clients:
            client.is_last.set()
    notes += [note for client in clients for note in client.notes]
