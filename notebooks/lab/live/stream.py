"""Stream of events from two servers to all open live pages.

The live page is a web page that shows the bad and the good server. An event is what happened on one of them, such as a
lost message.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["connect", "cut", "silent", "back", "closed", "sent", "delivered", "lost", "wasted", "room", "memory"]
# a page that comes late reads the state first, so the stream only has to bridge short gaps
KEPT_EVENTS = 20_000


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event on one of two servers, such as a lost message.

    `seq` is the number of the event, and `side` is the server: `bad` or `good`. `at` is in seconds since the stream
    began. `origin` is the simulated browser tab (or the user) that sent a message or whose connection changed. `to` is
    the tab that received or missed the message, or the user to whose tabs it was sent. `id` is the id of a message or
    of a socket. `more` has further fields that depend on `kind`.
    """

    seq: int
    at: float
    side: str
    kind: Kind
    origin: str | None = None
    to: str | None = None
    room: str | None = None
    id: str | None = None
    more: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the event as a dict, for the web page.

        In the dict, `origin` is named `from`, and the items of `more` stand beside the other fields.
        """
        fields = asdict(self)
        more = fields.pop("more") or {}
        return {("from" if name == "origin" else name): value for name, value in fields.items()} | more


class Stream:
    """Passes the events on two servers to web pages.

    An event is, for example, a lost message. Each event gets a number. Each web page shows both servers.
    """

    def __init__(self) -> None:
        self.seq = 0
        self._started = asyncio.get_running_loop().time()
        self._kept: deque[LiveEvent] = deque(maxlen=KEPT_EVENTS)
        self._changed = asyncio.Event()
        self._readers = 0
        self._had_readers = False

    @property
    def events(self) -> list[LiveEvent]:
        """Return the newest events, at most `KEPT_EVENTS`, with the oldest event first."""
        return list(self._kept)

    def publish(self, side: str, kind: Kind, *, at: float | None = None, **fields: Any) -> LiveEvent:
        """Add one event to the stream, and return this event.

        `side` is `bad` or `good`. `at` is a time in seconds of the event loop's clock, by default now. `fields` are
        further fields of `LiveEvent`.
        """
        self.seq += 1
        seconds = (asyncio.get_running_loop().time() if at is None else at) - self._started
        event = LiveEvent(self.seq, round(max(0.0, seconds), 4), side, kind, **fields)
        self._kept.append(event)
        self._changed.set()
        self._changed = asyncio.Event()
        return event

    async def read(self, since: int) -> AsyncIterator[LiveEvent]:
        """Yield events with a number above `since`, old and new, without end."""
        with self._counted():
            while True:
                changed = self._changed
                for event in [event for event in self._kept if event.seq > since]:
                    since = event.seq
                    yield event
                await changed.wait()

    @contextlib.contextmanager
    def _counted(self) -> Any:
        self._readers += 1
        self._had_readers = True
        self._changed.set()
        self._changed = asyncio.Event()
        try:
            yield
        finally:
            self._readers -= 1
            self._changed.set()
            self._changed = asyncio.Event()

    async def wait_until_left(self, seconds: float) -> None:
        """Wait until no web page has read the stream for `seconds` seconds.

        If no page has read it yet, first wait for one.
        """
        while True:
            changed = self._changed
            if not self._had_readers or self._readers:
                await changed.wait()
                continue
            try:
                async with asyncio.timeout(seconds):
                    while not self._readers:
                        changed = self._changed
                        await changed.wait()
            except TimeoutError:
                return
