"""Counts the rate-limit refusals and malformed packets of a socket.

After too many of either kind, the connection of the socket is closed.
"""

from dataclasses import dataclass, field

from ..close_reasons import CloseReason
from ..errors import RateLimited, Refusal
from ..packets import RESERVED_NAME, UNREADABLE
from ..settings import Settings

# the time that a refusal needs on a bad network; what arrives until then was sent by a client that did not know of it
NOTICE_SECONDS = 2.0
# after this time without a refusal, the next one is news to the client; a flood would lose most of its time waiting
QUIET_SECONDS = 60.0


@dataclass(slots=True)
class Refusals:
    """A count of rate-limit refusals that decreases with time.

    An accepted event does not reset the count. For `NOTICE_SECONDS` after the first refusal, refusals are not counted,
    because the client may not know of the first refusal yet. After `QUIET_SECONDS` without a refusal, the count is 0,
    and the next refusal is again treated as the first.
    """

    count: float = 0.0
    first: float = float("-inf")
    last: float = float("-inf")

    def add(self, now: float, per_minute: int) -> bool:
        """Count one refusal. Return whether the count is above `per_minute`.

        `now` is in seconds. The count decreases by `per_minute` in each minute. Refusals within `NOTICE_SECONDS` of the
        first refusal are not counted.
        """
        if now - self.last > QUIET_SECONDS:
            self.first, self.count = now, 0.0
        else:
            self.count = max(0.0, self.count - (now - self.last) * per_minute / 60)
        self.last = now
        if now - self.first > NOTICE_SECONDS:
            self.count += 1
        return self.count > per_minute


@dataclass(slots=True)
class Abuse:
    """Counts one socket's rate-limit refusals and malformed packets.

    After too many of either kind, the connection of the socket must be closed.
    """

    refusals: Refusals = field(default_factory=Refusals)
    malformed: int = 0

    def reason_to_close(self, event: object, refusal: Refusal, now: float, settings: Settings) -> CloseReason | None:
        """Count the refusal of one event. Return why to close the connection, or None if it may stay open."""
        if event == RESERVED_NAME:
            return CloseReason.MALFORMED
        if event in UNREADABLE:
            self.malformed += 1
            return CloseReason.MALFORMED if self.malformed >= settings.malformed_frames else None
        if isinstance(refusal, RateLimited) and self.refusals.add(now, settings.refusals_per_minute):
            return CloseReason.FLOOD
        return None
