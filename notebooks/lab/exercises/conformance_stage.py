"""Simulated browser tabs for checks that a server works as specified.

A check sends an event and names the tabs that must receive the event. `Stage` waits until these tabs have received it.
Then `Stage` emits the event `FENCE` to every tab. A tab that has received `FENCE` has also received all earlier emits.
So `Stage` need not wait for a timeout to know that the other tabs received nothing.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import socketio

from lab.clients.chat_ring import poll_until
from lab.clients.inbox import Received
from lab.clients.tab import Person, Tab, tabs
from lab.exercises.answer_errors import Fault
from lab.servers.probe import FENCE
from lab.servers.target import Target

# far longer than a delivery takes, also on a busy machine; a delivery that is missing takes this time
PATIENCE_SECONDS = 5.0
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

ANA = Person("ana", "vendor", rooms=("job:17",))
BEN = Person("ben", "provider", rooms=("job:17",))
# her room has a name that begins like that of ana's room
CAROL = Person("carol", "vendor", rooms=("job:170",))
PAT = Person("pat", "provider")
ROOT = Person("root", "admin")
OLGA = Person("olga", "company", "acme")
# another company, with a name that begins in the same way
OTTO = Person("otto", "company", "acme-north")
DORA = Person("dora", "driver", "acme")
DAN = Person("dan", "driver", "acme")
# everyone who has two tabs comes twice; each role has somebody who has no part in a chat between ana and ben
CAST = (ANA, ANA, BEN, BEN, CAROL, PAT, ROOT, OLGA, OLGA, OTTO, DORA, DORA, DAN)


class Finding(Exception):
    """A check has failed; the message says why in one sentence."""


@dataclass(frozen=True)
class Delivery:
    """An event that was sent, and the tabs that must receive it.

    Each tab of `readers` must receive it exactly once. `marks` are the fields of the payload that identify the event.
    `what` names the event in the text of a `Finding`, which is the exception of a failed check.
    """

    event: str
    marks: Mapping[str, Any]
    readers: Sequence[Tab]
    what: str

    def copies(self, tab: Tab) -> list[Received]:
        """Return the copies of this event that `tab` has received."""
        return tab.inbox.of(self.event, lambda data: isinstance(data, dict) and self.marks.items() <= data.items())


class Stage:
    """The simulated browser tabs and sent events of some checks. The checks test a learner's answer."""

    def __init__(
        self, target: Target, stack: AsyncExitStack, source: str, faults: Callable[[], Sequence[Fault]]
    ) -> None:
        self.target = target
        # the text of the answer
        self.source = source
        # what the server has noted so far
        self.faults = faults
        self.tabs: list[Tab] = []
        self.closed_ids: list[str] = []
        self._closed: set[Tab] = set()
        self._deliveries: list[Delivery] = []
        self._stack = stack

    def of(self, person: Person) -> list[Tab]:
        """Return the open browser tabs of a simulated user, the oldest first."""
        return [tab for tab in self.open_tabs if tab.user == person.user]

    @property
    def open_tabs(self) -> list[Tab]:
        """All simulated browser tabs that no check has closed."""
        return [tab for tab in self.tabs if tab not in self._closed]

    async def open(self, *people: Person) -> list[Tab]:
        """Open a simulated browser tab for each of `people`.

        A person may be named several times. Raises `Finding` when the server refuses a connection.
        """
        try:
            opened = await self._stack.enter_async_context(tabs(self.target, people))
        except socketio.exceptions.ConnectionError as error:
            names = " and ".join(dict.fromkeys(person.user for person in people))
            raise Finding(f"{names} could not connect: {str(error).rstrip('.')}") from None
        self.tabs += opened
        return opened

    async def close(self, tab: Tab) -> None:
        """Close a simulated browser tab, and wait until the server notices. Raises `Finding` after a timeout."""
        before = (await self.target.probe.read()).connections + (tab.sid is None)  # it may be closed already
        self._closed.add(tab)
        self.closed_ids += tab.ids
        await tab.close()
        if not await poll_until(lambda: self._has_at_most(before - 1), timeout=2 * PATIENCE_SECONDS):
            raise Finding(f"the server did not notice that {self.label(tab)} was closed")

    async def _has_at_most(self, connections: int) -> bool:
        return (await self.target.probe.read()).connections <= connections

    def label(self, tab: Tab) -> str:
        """Return a tab's name for a sentence, such as `ben's second tab`."""
        own = [other for other in self.tabs if other.user == tab.user]
        if len(own) == 1:
            return tab.user
        number = own.index(tab)
        return f"{tab.user}'s {ORDINALS[number]} tab" if number < len(ORDINALS) else f"a tab of {tab.user}"

    async def ask(self, tab: Tab, event: str, payload: Any, *, timeout: float = 2 * PATIENCE_SECONDS) -> dict[str, Any]:
        """Send an event and return its ack. Raises `Finding` if no ack comes in time."""
        self.expect_open(tab)
        try:
            return await tab.ask(event, payload, timeout=timeout)
        except (TimeoutError, socketio.exceptions.SocketIOError):
            self.expect_open(tab)
            raise Finding(f"{self.label(tab)} got no answer to {event}") from None

    async def accepted(self, tab: Tab, event: str, payload: Any, **options: Any) -> dict[str, Any]:
        """Send an event and return the data of its ack. Raises `Finding` if the server refuses the event."""
        ack = await self.ask(tab, event, payload, **options)
        if ack.get("ok") is not True:
            raise Finding(f"{self.label(tab)} sent {event} {_short(payload)}, and was refused: {code_of(ack)}")
        data = ack.get("data")
        return data if isinstance(data, dict) else {}

    async def refused(self, tab: Tab, event: str, payload: Any, because: str) -> None:
        """Send an event, and raise `Finding` if the server accepts it.

        `because` says why the server must refuse: a relative clause about the sender, such as `who is no driver`.
        """
        ack = await self.ask(tab, event, payload)
        if ack.get("ok") is not False:
            raise Finding(f"{self.label(tab)}, {because}, sent {event} {_short(payload)}, and it was accepted")

    async def expect(
        self, event: str, marks: Mapping[str, Any], readers: Iterable[Tab], what: str, *, sender: Tab | None = None
    ) -> list[Received]:
        """Check that all `readers`, and no other tabs, receive an event.

        `marks` are the fields of the payload that identify the event. `what` names the event in the text of a
        `Finding`, and `sender` is the tab that sent it. Waits for the event and returns what the tabs of `readers`
        received. Raises `Finding` if one of them did not receive it exactly once, or if another tab received it.
        """
        delivery = Delivery(event, marks, list(readers), what)
        self._deliveries.append(delivery)
        waiting = (self._arrives(delivery, tab) for tab in delivery.readers)
        await asyncio.gather(*waiting)
        await self.settle()
        self._judge(delivery, sender)
        return [received for tab in delivery.readers for received in delivery.copies(tab)]

    async def _arrives(self, delivery: Delivery, tab: Tab) -> None:
        """Wait until `tab` has received `delivery`, or until `PATIENCE_SECONDS` have passed."""
        try:
            await tab.received(
                delivery.event,
                where=lambda data: isinstance(data, dict) and delivery.marks.items() <= data.items(),
                timeout=PATIENCE_SECONDS,
            )
        except TimeoutError:
            return

    def _judge(self, delivery: Delivery, sender: Tab | None = None) -> None:
        users = {tab.user for tab in delivery.readers}
        for tab in delivery.readers:
            copies = len(delivery.copies(tab))
            if copies == 0:
                self.expect_open(tab)
                raise Finding(f"{self.label(tab)} did not receive {delivery.what}")
            if copies > 1:
                raise Finding(f"{self.label(tab)} received {delivery.what} {copies} times")
        for tab in self.tabs:
            if tab in delivery.readers or not delivery.copies(tab):
                continue
            if tab is sender:
                raise Finding(f"{self.label(tab)} received {delivery.what}, which it had sent itself")
            label = self.label(tab)
            pronoun = "who" if label == tab.user else "which"
            reason = "was not to receive it" if tab.user in users else "is in no room of this"
            raise Finding(f"{label}, {pronoun} {reason}, received {delivery.what}")

    def expect_open(self, tab: Tab) -> None:
        """Raise `Finding` when the server has closed the connection of `tab`."""
        if tab.sid is None:
            raise Finding(f"the server closed {self.label(tab)}, which its user had open")

    async def settle(self) -> None:
        """Wait until every open tab has received all earlier emits. Raises `Finding` if the server closed a tab."""
        opened = self.open_tabs
        for tab in opened:
            self.expect_open(tab)
        mark = secrets.token_hex(4)
        await self.target.probe.fence(self.target.namespace, [tab.ids[-1] for tab in opened], mark)
        await asyncio.gather(*(self._fence_arrives(tab, mark) for tab in opened))

    async def mark(self, room: str) -> str:
        """Emit the event `FENCE` to a room, and return its mark.

        The mark is a random string in the payload. When this method returns, all tabs in the room have received the
        event. So a check can see which tabs are in the room.
        """
        mark = secrets.token_hex(4)
        await self.target.probe.fence(self.target.namespace, [room], mark)
        await self.settle()
        return mark

    async def _fence_arrives(self, tab: Tab, mark: str) -> None:
        try:
            count = len(self.target.ports)
            await tab.received(FENCE, count, where=lambda data: data["mark"] == mark, timeout=2 * PATIENCE_SECONDS)
        except TimeoutError:
            self.expect_open(tab)
            raise Finding(f"{self.label(tab)} is open, but the server can no longer reach it") from None

    async def look_again(self) -> None:
        """Check all events of earlier `expect` calls again. A second copy may have arrived late."""
        await self.settle()
        for delivery in self._deliveries:
            self._judge(delivery)


@asynccontextmanager
async def stage(
    target: Target, source: str = "", faults: Callable[[], Sequence[Fault]] = tuple
) -> AsyncIterator[Stage]:
    """Keep simulated users connected during the `async with` block.

    Yields a `Stage` with the browser tabs of the users in `CAST`. `target` is the server, and `source` the code of the
    learner's answer. `faults` returns the faults of the answer (such as a blocked event loop) recorded so far.
    """
    async with AsyncExitStack() as stack:
        opened = Stage(target, stack, source, faults)
        await opened.open(*CAST)
        yield opened


def code_of(ack: Mapping[str, Any]) -> str:
    """Return the error code of an ack, or else the whole ack."""
    error = ack.get("error")
    return str(error["code"]) if isinstance(error, dict) and "code" in error else repr(ack)


def _short(payload: Any, most: int = 60) -> str:
    text = repr(payload)
    return text if len(text) <= most else f"{text[: most - 1]}…"
