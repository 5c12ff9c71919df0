"""A fleet of light clients that resend messages until they are acked.

Takes URLs and tokens: it knows neither how the servers came about nor what the tests make of it.
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
# over the deadline of a handler: an ack that has not come by then does not come
ACK_SECONDS = 6.0
# a lost connection is made again after up to this, so that not all come at once
RETURN_SECONDS = 0.5
# a peer that is gone answers no close
CLOSE_SECONDS = 0.5
# what a connection ends in; `ClientError` is a refused handshake, too
LOST = (aiohttp.ClientError, OSError, TimeoutError)
JOINED, REFUSED, EVENT, ACK = "40", "44", "42", "43"


class Line:
    """One connection without a client library. `hear(event, data)` is called for each event.

    With `miss`, a client in a tunnel: after the server's goodbye no ack gets through, `miss(ack)` gets it instead.
    """

    def __init__(self, url, socket, *, hear, miss=None):
        self.url = url
        self._socket, self._hear, self._miss = socket, hear, miss
        self._joined = asyncio.get_running_loop().create_future()
        self._acks = {}
        self._numbers = itertools.count()
        self._is_in_tunnel = False
        self.reading = asyncio.create_task(self._read())

    async def join(self, token):
        """Says CONNECT; raises `ConnectionError` when it is refused."""
        await self._socket.send_str(JOINED + json.dumps({"token": token}))
        async with asyncio.timeout(JOIN_SECONDS):
            await self._joined

    async def ask(self, event, data):
        """The ack; raises one of `LOST` when there is none."""
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
            # seen, as nobody may be waiting for it
            self._joined.exception()

    async def _take(self, text):
        if text == "2":
            await self._socket.send_str("3")
        elif text.startswith(EVENT):
            event, data = json.loads(text[len(EVENT) :])
            self._is_in_tunnel |= event == SERVER_CLOSING and self._miss is not None
            self._hear(event, data)
        elif text.startswith(ACK):
            number, _, body = text[len(ACK) :].partition("[")
            self._settle(int(number), json.loads("[" + body)[0])
        elif text.startswith(JOINED):
            self._joined.set_result(None)
        elif text.startswith(REFUSED):
            self._joined.set_exception(ConnectionRefusedError(text))

    def _settle(self, number, ack):
        if self._is_in_tunnel:
            self._miss(ack)
        else:
            self._acks.pop(number).set_result(ack)


@asynccontextmanager
async def connected(http, url, token, *, hear=lambda event, data: None, miss=None):
    """An accepted `Line`. Raises one of `LOST` when it is refused."""
    timeout = aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS)
    async with asyncio.timeout(JOIN_SECONDS):
        socket = await http.ws_connect(url + SOCKETIO, timeout=timeout)
    async with socket:
        line = Line(url, socket, hear=hear, miss=miss)
        try:
            await line.join(token)
            yield line
        finally:
            line.reading.cancel()
            await asyncio.gather(line.reading, return_exceptions=True)


@dataclass
class Letter:
    """One message and what became of it."""

    text: str
    # the URLs it was sent to, in order; more than one means that it was sent again
    sent_to: list = field(default_factory=list)
    # (URL, the id that the server gave it) of every positive ack, those that no client saw included
    acks: list = field(default_factory=list)
    # the codes of the others
    refusals: list = field(default_factory=list)
    is_acked: bool = False


class Client:
    """A client that sends messages in order, each until it is acked. A retry has the same id."""

    def __init__(self, http, urls, user, token, to, *, pause_seconds, is_lossy):
        """`is_lossy` clients lose acks after the server's goodbye: see `Line`."""
        self.letters = []
        self.has_spoken, self.is_last = asyncio.Event(), asyncio.Event()
        self._http, self._token, self._user, self._to = http, token, user, to
        self._urls = itertools.cycle(urls)
        self._pause_seconds, self._is_lossy = pause_seconds, is_lossy
        # the same pauses in every run
        self._random = random.Random(user)  # noqa: S311 - not a secret

    async def run(self):
        """Until `is_last` is set and the last message is acked."""
        while not self._is_done():
            with contextlib.suppress(*LOST):
                await self._visit(next(self._urls))
            await asyncio.sleep(self._random.uniform(0, RETURN_SECONDS))

    async def _visit(self, url):
        miss = self._missed if self._is_lossy else None
        async with connected(self._http, url, self._token, miss=miss) as line:
            while not (self._is_done() or line.reading.done()):
                await self._tell(line)
                pause = self._random.uniform(0.5, 1.5) * self._pause_seconds
                await asyncio.wait({line.reading}, timeout=pause)

    def _is_done(self):
        return self.is_last.is_set() and (not self.letters or self.letters[-1].is_acked)

    async def _tell(self, line):
        if not self.letters or self.letters[-1].is_acked:
            self.letters.append(Letter(f"{self._user}/{len(self.letters)}"))
        letter, number = self.letters[-1], len(self.letters)
        letter.sent_to.append(line.url)
        ack = await line.ask(NOTE_SEND, {"to": self._to, "text": letter.text, "id": str(number)})
        if not ack["ok"]:
            letter.refusals.append(ack["error"]["code"])
            return
        letter.acks.append((line.url, ack["data"]["id"]))
        letter.is_acked = True
        self.has_spoken.set()

    def _missed(self, ack):
        # one at a time is under way
        if ack["ok"]:
            self.letters[-1].acks.append((self.letters[-1].sent_to[-1], ack["data"]["id"]))


class Tab:
    """A tab that always reconnects to one URL. It keeps the texts that it receives."""

    def __init__(self, http, url, token):
        self.heard = []
        # one item each time it was let in
        self.arrivals = asyncio.Queue()
        self._http, self._url, self._token = http, url, token

    def times(self):
        """How often it heard each text."""
        return Counter(self.heard)

    async def run(self):
        """Until it is cancelled."""
        while True:
            with contextlib.suppress(*LOST):
                async with connected(self._http, self._url, self._token, hear=self._hear) as line:
                    self.arrivals.put_nowait(self._url)
                    await asyncio.wait({line.reading})
            await asyncio.sleep(RETURN_SECONDS / 10)

    def _hear(self, event, data):
        if event == NOTE_RECEIVED:
            self.heard.append(data["text"])


@asynccontextmanager
async def listening(http, urls, token):
    """A user's tabs, one at each URL, all connected."""
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
async def talking(http, urls, tokens, to, *, pause_seconds):
    """One client for each user of `tokens`, each sending to `to`. The mean pause is `pause_seconds`.

    Gives the list of all letters, filled when the block has ended and each client has had its last ack. Clients begin
    at each of the URLs in turn, and every other pair of them is lossy.
    """
    letters, clients = [], []
    for number, (user, token) in enumerate(tokens.items()):
        start = number % len(urls)
        order, is_lossy = (*urls[start:], *urls[:start]), number // len(urls) % 2 == 1
        clients.append(Client(http, order, user, token, to, pause_seconds=pause_seconds, is_lossy=is_lossy))
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.run())
        for client in clients:
            await client.has_spoken.wait()
        yield letters
        for client in clients:
            client.is_last.set()
    letters += [letter for client in clients for letter in client.letters]
