"""Counts the messages of one server that were delivered, lost or wasted.

A message is wasted if it goes to a wrong tab, to the same tab again, or to a room or socket id without a socket.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from good_server import events
from lab.clients.inbox import Received
from lab.live.stream import Stream
from lab.servers.state_client import Emit


@dataclass(frozen=True)
class Arrival:
    """The arrival of a message at a tab.

    `tab` is the name of the simulated browser tab, such as `ana/1`. `at` is in seconds on the event loop's clock.
    `more` has the text and the author of a chat message, as the tab received them.
    """

    at: float
    tab: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Message:
    """One message of `lab live`'s page, with the tabs that received it.

    `key` identifies the message in a received event: a text, a latitude or a job id, for example. `expected` are the
    tabs that should receive it. `received` has one entry for each time that a tab received it.
    """

    id: str
    key: str
    sender: str
    expected: frozenset[str] = frozenset()
    received: list[Arrival] = field(default_factory=list)
    emits: list[Emit] = field(default_factory=list)
    is_finished: bool = False


class Ledger:
    """Tells the live page which messages were delivered, lost or wasted.

    A message is `delivered` to an expected tab, or `lost` if that tab did not receive it. The message is `wasted` if
    another tab received it, if a tab received it again, or if the server emitted it to a room or socket id without a
    socket. `counters` counts these three outcomes.
    """

    def __init__(self, side: str, stream: Stream) -> None:
        self.counters = {"delivered": 0, "lost": 0, "wasted": 0}
        self._side = side
        self._stream = stream
        self._messages: dict[str, Message] = {}

    def add(self, message: Message, *, to: str | None, room: str | None, at: float) -> None:
        """Publish that a message was sent.

        From now on, `note_received` recognizes the message. `to` or `room` is its target. `at` is the sending time on
        the event loop's clock, in seconds.
        """
        self._messages[message.key] = message
        self._stream.publish(self._side, "sent", at=at, origin=message.sender, to=to, room=room, id=message.id)

    def note_received(self, tab: str, received: Received) -> None:
        """Record that a tab has received one of the sent messages.

        `tab` is the name of the tab. Any other received event is ignored.
        """
        data, more, keys = received.data, {}, []
        if received.event == events.CHAT_MESSAGE:
            more, keys = {"text": data["text"], "author": data["from"]["id"]}, [data["text"]]
        elif received.event == events.TRACKING_POSITION:
            keys = [position_key(data["lat"])]
        elif received.event == events.REPORT_READY:
            # the id of a job comes with the ack, and a handler that computes answers only after the report
            keys = [data["job"], events.REPORT_READY]
        message = next((self._messages[key] for key in keys if key in self._messages), None)
        if message is not None:
            message.received.append(Arrival(received.at_seconds, tab, more))
            if message.is_finished:
                self._publish_received(message, len(message.received) - 1)

    def finish(self, message: Message, live: Collection[str]) -> None:
        """Publish the addresses of a message, and who received it.

        Addresses are the rooms and socket ids to which the server emitted. `live` are the addresses that had a
        connected socket when the message was sent.
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


def position_key(latitude: float) -> str:
    """Return the string by which a received position is recognized.

    It is the latitude, which is different for each position.
    """
    return f"{latitude:.4f}"
