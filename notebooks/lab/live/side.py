"""The good or the bad server, with its simulated users."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from good_server import events
from lab.clients.chat_ring import poll_until
from lab.clients.inbox import Received
from lab.clients.tab import ReconnectDelays, client_session
from lab.live.arrangement import Arrangement
from lab.live.board import Board
from lab.live.day_target import DayTarget
from lab.live.extras import Extras
from lab.live.ledger import Ledger, Message
from lab.live.live_tab import LiveTab, add_tab
from lab.live.memory import NO_SERVER, Memory, read_memory
from lab.live.pulses import is_for_bystanders
from lab.live.stream import Stream
from lab.servers.running import running
from lab.servers.state_client import Emit, StateClient

WATCH_SECONDS = 0.3
FOLLOWED = (events.CHAT_MESSAGE, events.TRACKING_POSITION, events.REPORT_READY)
# a server records only so many emits; the recording is begun anew before it is full
MOST_EMITS = 10_000


class Side:
    """The good or the bad server, with its simulated users.

    A task reads repeatedly what the server remembers, such as its rooms, and sends the changes to the live page. So the
    page also shows what happens without an action, such as a missed heartbeat.
    """

    def __init__(self, name: str, arrangement: Arrangement, stream: Stream) -> None:
        self.name = name
        self.arrangement = arrangement
        self.stream = stream
        self.ledger = Ledger(name, stream)
        self.board = Board(name, stream)
        self.tabs: dict[str, LiveTab] = {}
        self.memory = Memory({}, {})
        self.is_running = False
        self.delays = arrangement.delays
        self.target: DayTarget
        self.extras: Extras
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession
        self._emits_read = 0
        self._looking = asyncio.Lock()
        self._emits: list[Emit] = []
        # by job id; the reports that are being made
        self._reports: dict[str, Message] = {}
        self._tickets: dict[str, Sequence[str]] = {}
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the server, and open the tabs of all users. If this fails, the caller has to call `stop`."""
        app = self.arrangement.bad_app if self.name == "bad" else self.name
        server = await self._stack.enter_async_context(running(app, settings=self.arrangement.server_settings))
        self.target = DayTarget.of(server, self.arrangement.number)
        self.extras = Extras(self._stack, self.target, self.board, self.ledger.note_received)
        self._session = await self._stack.enter_async_context(client_session())
        await self._begin_to_watch()
        for person in self.arrangement.people:
            for _ in range(self.arrangement.tabs[person.user]):
                await self.open(person.user)
        if self.arrangement.has_bystanders:
            await self.extras.start_bystanders()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Disconnect all simulated clients, and stop the server."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._stack.aclose()

    async def open(self, user: str) -> LiveTab:
        """Open one more tab of a user, and connect it.

        Raises `socketio.exceptions.ConnectionError` when the server refuses the connection.
        """
        person = next(person for person in self.arrangement.people if person.user == user)
        name = f"{user}/{1 + sum(tab.user == user for tab in self.tabs.values())}"
        live = await add_tab(self._stack, self.target, person, name, self._session, self.delays, self._observe)
        self.tabs[name] = live
        await live.tab.connect()
        if self.arrangement.logs_in:
            await live.log_in()
        await self.look()
        return live

    def tabs_of(self, target: str) -> list[LiveTab]:
        """Return the open tabs that should receive messages to this target.

        `target` is a user, such as `user:ben`, or a room. Members of a room are the users whose tokens name the room.
        """
        members = [person.user for person in self.arrangement.people if target in person.rooms]
        users = members or [target.removeprefix("user:")]
        return [tab for tab in self.tabs.values() if tab.user in users and not tab.is_closed]

    async def begin(self) -> list[Emit]:
        """Return an empty list, which `look` fills with the server's next emits. Each `begin` starts a new list."""
        await self.look()
        if self._emits_read > MOST_EMITS:
            async with self._looking:
                with contextlib.suppress(*NO_SERVER):
                    await StateClient(self.target.probe).record_emits()
                    self._emits_read = 0
        self._emits = []
        return self._emits

    @property
    def open_reports(self) -> int:
        """Return how many reports were requested and are not sent yet."""
        return len(self._reports)

    @property
    def bytes_to_clients(self) -> int:
        """Return how many bytes all clients have received so far."""
        return sum(tab.plug.bytes_to_client for tab in self.tabs.values()) + self.extras.bytes_to_client

    def await_report(self, job: str, message: Message) -> None:
        """Remember a report that was requested and is not sent yet.

        `job` is the id of the report. When the server has sent the report, the page shows who received `message`.
        """
        self._reports[job] = message

    async def settle(self) -> None:
        """Wait until the connected tabs have received all earlier emits. After some seconds, return anyway."""
        receiving = [tab for tab in self.tabs.values() if tab.can_receive]
        if not receiving or not self.is_running:
            return
        mark, sids = secrets.token_hex(4), [tab.sid for tab in receiving if tab.sid]
        try:
            await self.target.probe.fence(self.target.namespace, [*sids, *self.extras.crowd_sids], mark)
        except NO_SERVER:
            return
        await asyncio.gather(*(tab.fence(mark) for tab in receiving), self.extras.fence(mark))

    async def look(self) -> None:
        """Read the server's rooms, stored data and emits. Publish to the page what has changed."""
        async with self._looking:
            if not self.is_running:
                return
            target = self.target
            try:
                memory, emits = await read_memory(target, emits_since=self._emits_read)
            except NO_SERVER:
                if self.is_running:
                    self.set_running(False)
                return
            self.memory = memory
            self._tickets |= memory.reports
            self._emits_read += len(emits)
            reports = [emit for emit in emits if emit.event == events.REPORT_READY]
            # bystanders write all the time, and nobody follows their messages
            self._emits += [emit for emit in emits if emit.event in FOLLOWED and not is_for_bystanders(emit.rooms)]
            for emit in reports:
                await self._finish_report(emit)
            self._publish_memory()

    async def wait_for(self, holds: Callable[[], bool], *, timeout: float) -> bool:
        """Read the server's memory repeatedly until `holds()` is true. Return False if `timeout` seconds pass first."""

        async def look_and_check() -> bool:
            await self.look()
            return holds()

        return await poll_until(look_and_check, timeout=timeout)

    async def kill(self) -> None:
        """Kill the server process. All reports that are not sent yet are lost."""
        self.set_running(False)
        async with self._looking:
            await self.target.server.kill()

    async def start_again(self) -> None:
        """Start the killed server again, on the same port."""
        await self.target.server.start_again()
        await self._begin_to_watch()
        await self.extras.connect_again()

    def set_running(self, is_running: bool) -> None:
        """Show on the page whether the server runs. If it does not, count its unfinished reports as lost."""
        self.is_running = is_running
        if not is_running:
            self.memory = Memory({}, {})
            self._tickets.clear()
            for job in list(self._reports):
                self.ledger.finish(self._reports.pop(job), ())
        self._publish_memory()

    def state(self) -> dict[str, Any]:
        """Return the users, the values that the page shows, and message counters."""
        people: dict[str, list[dict[str, Any]]] = {person.user: [] for person in self.arrangement.people}
        for tab in self.tabs.values():
            people[tab.user].append({"name": tab.name, "state": tab.state, "sid": tab.sid})
        return {
            "people": [{"name": user, "tabs": tabs} for user, tabs in people.items()],
            "memory": self.board.named,
            "counters": self.ledger.counters | {"kept": self.memory.kept},
            "is_running": self.is_running,
        }

    def set_delays(self, delays: ReconnectDelays) -> None:
        """Change how long all tabs wait before they reconnect."""
        self.delays = delays
        for tab in self.tabs.values():
            tab.tab.set_delays(delays)

    async def _begin_to_watch(self) -> None:
        state = StateClient(self.target.probe)
        await state.record_emits()
        if "finish" in self.arrangement.actions:
            await state.hold_reports()
        self._emits_read = 0
        self.set_running(True)
        await self.look()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self.look()

    def _observe(self, tab: LiveTab, received: Received) -> None:
        at = received.at_seconds
        if received.event == "connect":
            self.stream.publish(self.name, "connect", at=at, origin=tab.name, id=tab.tab.ids[-1])
        elif received.event == "disconnect" and not tab.is_closed:
            self.stream.publish(self.name, "cut", at=at, origin=tab.name, id=tab.tab.ids[-1])
        else:
            self.ledger.note_received(tab.name, received)

    async def _finish_report(self, emit: Emit) -> None:
        """Publish which tabs received the report that `emit` has sent."""
        done = [job for job in self._reports if job not in self.memory.reports]
        job = next((job for job in done if self._tickets.get(job, list(emit.rooms)) == list(emit.rooms)), None)
        if job is None:
            return
        message = self._reports.pop(job)
        self._tickets.pop(job, None)
        message.emits.append(emit)
        message.expected = frozenset(tab.name for tab in self.tabs_of(f"user:{message.sender.partition('/')[0]}"))
        await self.settle()
        self.ledger.finish(message, self.memory.addresses)

    def _publish_memory(self) -> None:
        status = {"server": "running" if self.is_running else "down"}
        self.board.remember(status | self.memory.named, kept=self.memory.kept)
