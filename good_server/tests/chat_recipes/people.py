"""Members of a conversation who write, lose connections, and read all."""

import asyncio
import random
from contextlib import suppress

import socketio

from ...recipes.events import HISTORY_AFTER, HISTORY_MESSAGE, HISTORY_SEND
from ...recipes.reader import Reader
from ..redis import Forwarder
from ..waiting import PROCESS_SECONDS, until

# a lost ack is not waited for longer
ACK_SECONDS = 0.5
# after this many lost acks in a row, a user reloads the page; a page that does not load is reloaded, too
LOST_ACKS, CONNECT_SECONDS = 3, 2.0
# they come back at once, as often as needed
RECONNECT = {"reconnection_delay": 0.02, "reconnection_delay_max": 0.1, "randomization_factor": 0.02}
LOST = (socketio.exceptions.TimeoutError, socketio.exceptions.BadNamespaceError, socketio.exceptions.DisconnectedError)


class Link(Forwarder):
    """A network between a client and a server that tests cut."""

    def cut(self):
        """Break all connections."""
        for task in self._tasks:
            task.cancel()


class Member:
    """A client that reads and writes one conversation by the rule.

    `catches_up` and `keeps_ids` switch the two halves of the rule off.
    """

    def __init__(self, link, http, room, *, catches_up=True, keeps_ids=True):
        self.link, self.room, self.reader = link, room, Reader()
        self.live, self.tries, self.last_id, self.lost_acks = [], 0, None, 0
        self._catches_up, self._keeps_ids, self._asking = catches_up, keeps_ids, asyncio.Lock()
        self._http, self._token, self._reloading = http, None, None
        self.connected = asyncio.Event()
        self.sio = self._new_client()

    def _new_client(self):
        sio = socketio.AsyncClient(http_session=self._http, handle_sigint=False, **RECONNECT)

        def left(reason):
            # the client before this one may end later
            if sio is self.sio:
                self.connected.clear()

        sio.on("connect", self._came)
        sio.on("disconnect", left)
        sio.on(HISTORY_MESSAGE, self._hears)
        return sio

    async def connect(self, token, seconds=PROCESS_SECONDS):
        self._token = token
        url = self.link.url.replace("redis", "http").removesuffix("/0")
        await self.sio.connect(url, auth={"token": token}, transports=["websocket"], wait_timeout=seconds)

    async def _reload(self):
        """Connect with a new client, like a user who reloads the page.

        python-socketio's client can take itself for connected, and send nothing, after a cut handshake.
        """
        while True:
            old, self.sio = self.sio, self._new_client()
            self.connected.clear()
            self.link.cut()
            with suppress(TimeoutError):
                await asyncio.wait_for(end(old), ACK_SECONDS)
            with suppress(socketio.exceptions.ConnectionError):
                await self.connect(self._token, CONNECT_SECONDS)
                return
            await asyncio.sleep(RECONNECT["reconnection_delay"])

    async def _came(self):
        self.connected.set()
        if self._catches_up:
            await self.catch_up()

    async def _hears(self, message):
        self.live.append(message)
        if self.reader.take([message]) and self._catches_up:
            await self.catch_up()

    async def catch_up(self):
        """Ask for the messages after the last one.

        This ends when there are no more, or when the connection is lost.
        """
        async with self._asking:
            more = True
            while more and self.connected.is_set():
                asked = {"room": self.room, "after": self.reader.last, "limit": 7}
                ack = await self._call(HISTORY_AFTER, asked)
                if ack is not None and ack["ok"]:
                    self.reader.take(ack["data"]["messages"])
                    more = ack["data"]["more"]

    async def write(self, text):
        """Send a message again and again until it is acked."""
        while True:
            await asyncio.wait_for(self.connected.wait(), PROCESS_SECONDS)
            self.tries += 1
            self.last_id = text if self._keeps_ids else f"{text}-{self.tries}"
            ack = await self._send(text)
            if ack is not None and ack["ok"]:
                return

    async def repeat(self, text):
        """Send an acked message again, as if its ack was lost."""
        await self._send(text)

    async def _send(self, text):
        return await self._call(HISTORY_SEND, {"room": self.room, "text": text, "id": self.last_id})

    async def _call(self, event, data):
        """Return the ack, or None if it does not come."""
        with suppress(*LOST):
            ack = await self.sio.call(event, data, timeout=ACK_SECONDS)
            self.lost_acks = 0
            return ack
        self.lost_acks += 1
        if self.lost_acks % LOST_ACKS == 0 and (self._reloading is None or self._reloading.done()):
            self._reloading = asyncio.create_task(self._reload())
        # a client whose connection is lost fails at once, before it knows that; let it find out
        await asyncio.sleep(0.01)
        return None

    async def close(self):
        if self._reloading is not None:
            self._reloading.cancel()
            await asyncio.gather(self._reloading, return_exceptions=True)
        await end(self.sio)


async def end(client):
    client.reconnection = False
    await asyncio.sleep(0)
    await client.shutdown()


class Chaos:
    """Members who write while connections break and the server restarts, at random.

    `restart` is a coroutine function that ends the server and starts it again.
    """

    def __init__(self, seed, members, restart):
        self.random, self.members, self.restart = random.Random(seed), members, restart  # noqa: S311 - a repeatable schedule
        self.written, self.cuts, self.restarts, self.repeats = [], 0, 0, 0

    async def run(self, steps):
        """Let each member write `steps` messages, until all are acked."""
        writing = [asyncio.create_task(self._write(number, steps)) for number in range(len(self.members))]
        try:
            await asyncio.gather(*writing)
        finally:
            for task in writing:
                task.cancel()

    async def _write(self, number, steps):
        member = self.members[number]
        for step in range(steps):
            text = f"{number}-{step}"
            self.written.append(text)
            writing = asyncio.create_task(member.write(text))
            await self._disturb(number, step)
            await writing
            if self.random.random() < 0.3:
                self.repeats += 1
                await member.repeat(text)

    async def _disturb(self, number, step):
        chance = self.random.random()
        # a moment of the loop, so that the message is on its way, or is stored, or is acked
        for _ in range(self.random.randrange(30)):
            await asyncio.sleep(0)
        # at least one of each; one member restarts, so that the server is not restarted twice at once
        if number == 0 and (chance < 0.1 or step == 3):
            self.restarts += 1
            await self.restart(self.random)
        elif chance < 0.35 or step == 1:
            self.cuts += 1
            self.random.choice(self.members).link.cut()

    async def settle(self):
        """Wait until every member is connected and has caught up."""
        for member in self.members:
            await asyncio.wait_for(member.connected.wait(), PROCESS_SECONDS)
            await until(lambda member=member: not member._asking.locked(), PROCESS_SECONDS)


async def conversation(member):
    """Return the stored conversation, read by a new reader of this member."""
    member.reader = Reader()
    await member.catch_up()
    return member.reader.messages


async def joined(stack, target, tokens, http, room, **options):
    """Return connected members, each behind a link to the server `target`."""
    members = []
    for token in tokens:
        link = await stack.enter_async_context(Link(target))
        members.append(Member(link, http, room, **options))
        stack.push_async_callback(members[-1].close)
        await members[-1].connect(token)
    return members
