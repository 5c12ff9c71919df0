"""Typing indicators: short-lived, rate-limited, volatile, never stored.

An indicator tells the others in a conversation that a user types or has stopped. A rate limit keeps indicators few. A
client removes an indicator after `expires_in` seconds. If the server has the optional folder `delivery/`, the server
drops indicators for a slow client. Without this folder, python-socketio sends them late.
"""

import time
from collections.abc import Callable
from typing import Any

from ..gateway import Request, Route
from ..token_bucket import TokenBucket
from . import events
from .conversations import conversation_of
from .events import TypingChanged, TypingNoted, TypingSet

# a client repeats `active` more often than this while its user types
EXPIRES_SECONDS = 5.0
# of one user in one conversation: one for each key would be ten a second
PER_SECOND = 0.5
# started, stopped and started again at once
BURST = 3
# full buckets are deleted above this number
MOST_BUCKETS = 1000


def routes(*, clock: Callable[[], float] = time.monotonic) -> tuple[Route, ...]:
    """Return the route of `typing:set`: the event with its handler.

    The rate limit for typing indicators measures time with `clock`, in seconds.
    """
    throttle = Throttle(clock)

    async def type_text(request: Request, typing: TypingSet) -> dict[str, Any]:
        conversation, user = conversation_of(request, typing), request.identity.user
        # no refusal: a client that sends one for each key does nothing wrong, and must not be disconnected
        if not throttle.may_send(user, conversation.key):
            return {"sent": False}
        target = conversation.target_of(user)
        changed = TypingChanged(user=user, active=typing.active, expires_in=EXPIRES_SECONDS, **target)
        await request.emit(events.TYPING_CHANGED, changed, to=conversation.rooms, also_to_me=False)
        return {"sent": True}

    return (Route(events.TYPING_SET, TypingSet, type_text, answer=TypingNoted, sends=(TypingChanged,)),)


class Throttle:
    """Limits how many typing indicators a user sends to a conversation. Each process has its own limits."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._sweep_above = MOST_BUCKETS

    def may_send(self, user: str, conversation: str) -> bool:
        """Return whether `user` may send a typing indicator to `conversation` now. If so, count the indicator."""
        now = self._clock()
        if len(self._buckets) > self._sweep_above:
            self._sweep(now)
        bucket = self._buckets.get((user, conversation))
        if bucket is None:
            bucket = self._buckets[user, conversation] = TokenBucket(PER_SECOND, BURST, now)
        return bucket.take(now) == 0.0

    def _sweep(self, now: float) -> None:
        # a full bucket is the same as a new one
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if not bucket.is_full(now)}
        self._sweep_above = max(MOST_BUCKETS, 2 * len(self._buckets))
