"""Measures losses and duplicates of different ways to deliver a conversation."""

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from good_server.events import CHAT_MESSAGE, CHAT_SEND
from good_server.recipes.events import HISTORY_AFTER, HISTORY_MESSAGE, HISTORY_SEND
from good_server.recipes.reader import Reader
from lab.clients.tab import Person, Tab, tabs
from lab.servers.running import running
from lab.servers.target import Target

SERVER = "good_server.recipes.server:create_chat_app"
# the limits are not what is measured
SETTINGS = {"SERVER_CHAT_PER_SECOND": "100000", "SERVER_EVENTS_PER_SECOND": "100000"}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to deliver a conversation from writer to reader.

    With `has_history` the server stores messages, and the reader requests missing ones. With `repeats` the writer sends
    a message again after a lost ack. With `keeps_ids` the repeated message has the same id. With `drops_known` the
    reader ignores a message that it already has.
    """

    name: str
    has_history: bool
    # the writer repeats a message whose ack was lost, and with the same id
    repeats: bool
    keeps_ids: bool
    # the reader drops known numbers
    drops_known: bool = False


WAYS = (
    Way("at most once", has_history=False, repeats=False, keeps_ids=False),
    Way("at least once, new ids", has_history=True, repeats=True, keeps_ids=False),
    Way("at least once, same id", has_history=True, repeats=True, keeps_ids=True),
    Way("exactly the conversation", has_history=True, repeats=True, keeps_ids=True, drops_known=True),
)


@dataclass(slots=True)
class Outcome:
    """What was written, and what the reader's client displays in the end.

    `cut_before` has the numbers of the messages before which the reader's connection was cut. The first message has the
    number 1. `repeats` is how many messages the writer sent again.
    """

    way: Way
    written: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    cut_before: list[int] = field(default_factory=list)
    repeats: int = 0

    @property
    def cuts(self) -> int:
        """The number of times that the receiving client's connection was cut."""
        return len(self.cut_before)

    @property
    def times_shown(self) -> list[int]:
        """How many times the receiving client shows each message, in written order."""
        counts = Counter(self.shown)
        return [counts[text] for text in self.written]

    @property
    def lost(self) -> int:
        """The number of messages that the receiving client never shows."""
        return self.times_shown.count(0)

    @property
    def duplicates(self) -> int:
        """The number of times that the receiving client shows a message again."""
        return sum(count - 1 for count in Counter(self.shown).values())

    @property
    def is_exact(self) -> bool:
        """Whether the receiving client shows exactly the written messages, in order."""
        return self.shown == self.written


async def measure(way: Way, *, messages: int = 40, cut_every: int = 5, repeat_every: int = 4) -> Outcome:
    """Let the user ana write to ben, and return what ben sees.

    `way` says how messages are delivered, for example whether the server stores them. The messages are numbered. Before
    each message whose number is a multiple of `cut_every`, ben's connection is cut. If the number is a multiple of
    `repeat_every`, ana acts as if the ack was lost: she sends the message again if `way.repeats` is True.
    """
    outcome = Outcome(way)
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        settings = SETTINGS | {"CHAT_DATABASE_URL": f"sqlite:///{folder}/chat.sqlite3"}
        async with running(SERVER, settings=settings) as server:
            target = Target.of(server, 14)
            async with tabs(target, [Person("ana"), Person("ben")], reconnection=True) as (ana, ben):
                reading = _Reading(way, ben)
                for number in range(1, messages + 1):
                    if number % cut_every == 0:
                        outcome.cut_before.append(number)
                        await ben.link.cut()
                    outcome.repeats += await _write(way, ana, f"message {number}", number % repeat_every == 0)
                    outcome.written.append(f"message {number}")
                    await ben.connected(1 + outcome.cuts)
                    await reading.catch_up()
                outcome.shown = reading.shown
    return outcome


async def _write(way: Way, ana: Tab, text: str, loses_ack: bool) -> bool:
    """Send a message to ben, and return whether it was sent twice.

    `loses_ack` says that ana acts as if the ack was lost. Then she sends the message again if `way.repeats` is True.
    """
    event, is_repeated = HISTORY_SEND if way.has_history else CHAT_SEND, way.repeats and loses_ack
    for attempt in range(1 + is_repeated):
        id = text if way.keeps_ids else f"{text}, attempt {attempt}"
        ack = await ana.ask(event, {"to": "ben", "text": text, "id": id})
        assert ack["ok"], ack
    return is_repeated


class _Reading:
    """The messages that the client of the user ben displays.

    Messages arrive live, but some can be missing. If the server stores a history of the conversation, the client
    requests missing messages from the history.
    """

    def __init__(self, way: Way, ben: Tab) -> None:
        self._way, self._ben = way, ben
        self._reader = Reader()
        self._all: list[Any] = []
        self._taken = 0

    @property
    def shown(self) -> list[str]:
        """The texts that the user ben sees in the end."""
        shown = self._reader.messages if self._way.drops_known else self._all
        return [message["text"] for message in shown]

    async def catch_up(self) -> None:
        """Take the new live messages, and request missing messages from the history.

        If the server stores no history, missing messages stay missing.
        """
        live = [each.data for each in self._ben.inbox.of(HISTORY_MESSAGE if self._way.has_history else CHAT_MESSAGE)]
        self._take(live[self._taken :])
        self._taken = len(live)
        more = self._way.has_history
        while more:
            page = (await self._ben.ask(HISTORY_AFTER, {"to": "ana", "after": self._reader.last}))["data"]
            self._take(page["messages"])
            more = page["more"]

    def _take(self, messages: list[Any]) -> None:
        self._all += messages
        if self._way.has_history:
            self._reader.take(messages)
