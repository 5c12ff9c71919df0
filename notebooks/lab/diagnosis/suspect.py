"""A server with unknown mistakes, and tools for learners to examine it."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import socketio

from lab.clients.chat_ring import poll_until
from lab.clients.tab import Person, Tab, tabs
from lab.diagnosis.cases import Ticket
from lab.diagnosis.server import APP, SESSION_LOGIN, TICKET_VARIABLE
from lab.servers.probe import FENCE
from lab.servers.running import running
from lab.servers.target import Target
from lab.system.exit_codes import UsageError

# every server has the same settings; all clients connect from the same address
SETTINGS = {
    "SERVER_SOCKETS_PER_ADDRESS": "2000",
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": "2000",
    # a client that gives up during a stall of the event loop would hide the stall
    "SERVER_PING_TIMEOUT_SECONDS": "5",
    # an empty name: SQLite's temporary database, which is no file that can be found
    "BAD_DATABASE": "",
}
ASK_SECONDS = 5.0
# a tab that loses its connection at once cannot log in
LOGIN_SECONDS = 2.0
SETTLE_SECONDS = 2.0
RETURN_SECONDS = 5.0
# events of the lab itself
OWN_EVENTS = ("connect", FENCE)
# ids and times, which say nothing to a reader
HIDDEN_KEYS = ("id", "at", "job")


@dataclass(frozen=True)
class TabState:
    """What a learner can see of one simulated browser tab.

    `connects` is how often the tab has connected, including the first time. `received` has one line per received event.
    """

    name: str
    is_connected: bool
    connects: int
    received: Sequence[str]

    def __str__(self) -> str:
        connected = "connected" if self.is_connected else "not connected"
        times = "1 connect" if self.connects == 1 else f"{self.connects} connects"
        lines = [f"    {line}" for line in self.received] or ["    received nothing"]
        return "\n".join([f"{self.name}: {connected}, {times}", *lines])


@dataclass(frozen=True)
class Reading:
    """Measurements that code of the lab made inside the server process.

    `lost_ids` is the number of socket ids that simulated browser tabs had before they lost a connection.
    `lost_ids_held` is how many of these ids are still on the server's heap. `since_last` maps labels to counts and
    times since the previous measurement.
    """

    connections: int
    memory_megabytes: float
    lost_ids: int
    lost_ids_held: int
    since_last: Mapping[str, float]

    def as_numbers(self) -> dict[str, float]:
        """Return all measured numbers by label, to be shown in a table."""
        return {
            "connections open": self.connections,
            "memory of the process (MB)": self.memory_megabytes,
            "ids of lost connections": self.lost_ids,
            "of these still on the heap": self.lost_ids_held,
            **{f"{name}, since the last look": value for name, value in self.since_last.items()},
        }


class Suspect:
    """One server whose mistakes a learner has to find. Its name is a letter."""

    def __init__(self, ticket: Ticket) -> None:
        self.letter = ticket.letter
        self.tabs: dict[str, Tab] = {}
        self._ticket = ticket
        self._stack = AsyncExitStack()
        self._target: Target | None = None

    def __repr__(self) -> str:
        return f"server {self.letter}" + ("" if self._target is None else f" at {self.target.url}")

    @property
    def target(self) -> Target:
        """All that a client needs to use and measure the server.

        It has the server's address, a method that makes tokens for the server, and a probe. The probe reads
        measurements from code of the lab inside the server process. Raises `UsageError` when the server is not running.
        """
        if self._target is None:
            raise UsageError(f"server {self.letter} does not run: start it again")
        return self._target

    async def start(self) -> None:
        """Start the server process."""
        settings = {**SETTINGS, TICKET_VARIABLE: str(self._ticket)}
        server = await self._stack.enter_async_context(running(APP, settings=settings))
        # it serves the namespace `/`, whatever the number of the lesson
        self._target = Target.of(server, 0)

    async def stop(self) -> None:
        """Close all simulated browser tabs, and stop the server process."""
        self._target = None
        self.tabs.clear()
        await self._stack.aclose()

    async def open(
        self, user: str, role: str = "vendor", *, company: str | None = None, rooms: Sequence[str] = ()
    ) -> Tab:
        """Open and return one more simulated browser tab for a user.

        The tab has its own socket. The user's token has this role, company and rooms. Like a web page, the tab sends
        the event `session:login` only after its first connect, and reconnects by itself.
        """
        person = Person(user, role, company, tuple(rooms))
        (tab,) = await self._stack.enter_async_context(tabs(self.target, [person], reconnection=True))
        count = sum(other.user == user for other in self.tabs.values())
        self.tabs[user if not count else f"{user}-{count + 1}"] = tab
        with contextlib.suppress(TimeoutError, socketio.exceptions.SocketIOError):
            await tab.ask(SESSION_LOGIN, {}, timeout=LOGIN_SECONDS)
        return tab

    async def ask(self, tab: Tab, event: str, data: Any) -> tuple[dict[str, Any], float]:
        """Send an event; return its ack and the duration in seconds.

        The event is sent from `tab`, a simulated browser tab. The duration is the time until the ack arrived. When no
        ack arrives within `ASK_SECONDS`, the returned ack is an error with the code `no ack`.
        """
        began = time.monotonic()
        try:
            ack = await tab.ask(event, data, timeout=ASK_SECONDS)
        except (TimeoutError, socketio.exceptions.SocketIOError):
            ack = {"ok": False, "error": {"code": "no ack"}}
        return ack, time.monotonic() - began

    async def flood(self, tab: Tab, event: str, data: Any, count: int) -> dict[str, int]:
        """Send an event `count` times at once from a simulated browser tab.

        Returns how many events were accepted (key `ok`), and how many were refused with each error code.
        """
        acks = await asyncio.gather(*(self.ask(tab, event, data) for _ in range(count)))
        return dict(Counter("ok" if ack.get("ok") else ack.get("error", {}).get("code", "?") for ack, _ in acks))

    async def cut(self, tab: Tab) -> bool:
        """Reset a simulated browser tab's connection, and wait until the tab reconnects.

        Before the reset, this method waits until everything that was sent to the tabs has arrived. Returns False when
        the tab does not reconnect within `RETURN_SECONDS`.
        """
        await self.settle()
        connects = tab.connects + 1
        await tab.link.cut()
        try:
            await tab.connected(connects, timeout=RETURN_SECONDS)
        except TimeoutError:
            return False
        return True

    async def restart(self) -> None:
        """Kill the server process, start it again, and wait for the tabs.

        The new process has the same port and the same mistakes. This method waits until all simulated browser tabs that
        were connected have reconnected, but at most `RETURN_SECONDS`.
        """
        server, before = self.target.server, {name: tab.connects for name, tab in self.tabs.items() if tab.sid}
        await server.kill()
        await server.start_again()

        async def are_back() -> bool:
            return all(self.tabs[name].connects > connects for name, connects in before.items())

        await poll_until(are_back, timeout=RETURN_SECONDS)

    async def settle(self) -> None:
        """Wait until the simulated browser tabs received everything sent to them.

        Wait at most `SETTLE_SECONDS`.
        """

        async def ask(tab: Tab) -> None:
            # a connection keeps the order of its packets, so this ack arrives last
            with contextlib.suppress(TimeoutError, socketio.exceptions.SocketIOError):
                await tab.ask("lab:settle", {}, timeout=SETTLE_SECONDS)

        await asyncio.gather(*(ask(tab) for tab in self.tabs.values() if tab.sid is not None))

    def states(self) -> list[TabState]:
        """Return the states of all simulated browser tabs, oldest tab first."""
        return [TabState(name, tab.sid is not None, tab.connects, heard(tab)) for name, tab in self.tabs.items()]

    async def read(self) -> Reading:
        """Return measurements of the server process, and reset its counters.

        Code of the lab inside the server process measures it. This code searches the heap for the socket ids of lost
        connections, which blocks the server for some tenths of a second.
        """
        probe = self.target.probe
        reading, counts = await probe.read(), await probe.counts()
        lost = [sid for tab in self.tabs.values() for sid in tab.ids if sid != tab.sid]
        held = (await probe.dead_ids_held(lost))[0] if lost else 0
        await probe.reset()
        since_last = {
            "emits": counts.emits,
            "rooms or socket ids in these emits": counts.addresses,
            "of these with nobody in them": counts.ghost_addresses,
            "errors logged": counts.errors_logged,
            "longest stall of the event loop (ms)": round(1000 * reading.loop_lag_worst_seconds),
        }
        return Reading(reading.connections, round(reading.rss_bytes / 1e6, 1), len(lost), held, since_last)


def heard(tab: Tab) -> list[str]:
    """Return the events that a simulated browser tab received, one line each.

    Ids and times are left out.
    """
    lines = []
    for received in tab.inbox.all:
        if received.event in OWN_EVENTS:
            continue
        data = received.data
        if isinstance(data, dict):
            data = {key: value for key, value in data.items() if key not in HIDDEN_KEYS}
        lines.append(f"{received.event} {json.dumps(data, ensure_ascii=False)}")
    return lines
