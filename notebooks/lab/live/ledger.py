"""Fates of the messages of one side, with their counters."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from lab.live.stream import Stream
from lab.servers.state_client import Emit


@dataclass(frozen=True)
class Arrival:
    """A message in the inbox of a tab.

    `more` is what the tab could read.
    """

    at: float
    tab: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Message:
    """One message on its way.

    `key` is what the received event contains, by which it is recognized. `expected` are the tabs that should receive
    it. `received` has the tabs that did.
    """

    id: str
    key: str
    sender: str
    expected: frozenset[str] = frozenset()
    received: list[Arrival] = field(default_factory=list)
    emits: list[Emit] = field(default_factory=list)
    is_finished: bool = False


class Ledger:
    """Publishes what became of each message, and counts it.

    A message is recognized in the tabs' inboxes. Which addresses the server used comes from its probe.
    """

    def __init__(self, side: str, stream: Stream) -> None:
        self.counters = {"delivered": 0, "lost": 0, "wasted": 0}
        self._side = side
        self._stream = stream
        self._messages: dict[str, Message] = {}

    def add(self, message: Message, *, to: str | None, room: str | None, at: float) -> None:
        """Publish that a message was sent."""
        self._messages[message.key] = message
        self._stream.publish(self._side, "sent", at=at, origin=message.sender, to=to, room=room, id=message.id)

    def note_received(self, key: str, arrival: Arrival) -> None:
        """Note that a tab has received the message with this key."""
        message = self._messages.get(key)
        if message is None:
            return
        message.received.append(arrival)
        if message.is_finished:
            self._publish_received(message, len(message.received) - 1)

    def finish(self, message: Message, live: Collection[str]) -> None:
        """Publish the path and the fate of a message.

        `live` are the addresses that had a live socket when the message was sent.
        """
        message.is_finished = True
        for emit in message.emits:
            for room in emit.rooms:
                self._publish_address(message, emit, room, live)
        for index in range(len(message.received)):
            self._publish_received(message, index)
        arrived = {arrival.tab for arrival in message.received}
        for tab in sorted(message.expected - arrived):
            self._count("lost", origin=message.sender, to=tab, id=message.id)

    def _publish_address(self, message: Message, emit: Emit, room: str, live: Collection[str]) -> None:
        fields = {"origin": message.sender, "room": room, "id": message.id}
        self._stream.publish(self._side, "room", at=emit.at_seconds, **fields)
        # the emit itself says how many addresses were live; the names are needed only when some were not
        if emit.reached == 0 or (emit.reached < len(emit.rooms) and room not in live):
            self._count("wasted", at=emit.at_seconds, **fields)

    def _publish_received(self, message: Message, index: int) -> None:
        arrival = message.received[index]
        is_first = arrival.tab not in {earlier.tab for earlier in message.received[:index]}
        kind = "delivered" if arrival.tab in message.expected and is_first else "wasted"
        self._count(kind, at=arrival.at, origin=message.sender, to=arrival.tab, id=message.id, more=arrival.more)

    def _count(self, kind: str, *, at: float | None = None, **fields: Any) -> None:
        self.counters[kind] += 1
        self._stream.publish(self._side, kind, at=at, **fields)  # type: ignore[arg-type]
