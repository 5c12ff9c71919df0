"""Decides which user's report is made next.

A report is a slow job that a user requests. Users take turns, so that many reports of one user do not delay the reports
of other users.
"""

import asyncio
import hashlib
from collections import deque
from typing import Generic, TypeVar

from ..rooms import Address

Waiting = TypeVar("Waiting")
# enough that two users never share a turn by chance
ASKER_CHARACTERS = 16


def asker_of(to: Address) -> str:
    """Return a short name for the user who asked for a report.

    The name is a hash of the rooms in `to`. Reports for the same rooms count as reports of the same user. All names
    have the same length.
    """
    return hashlib.sha256("\n".join(to.rooms).encode()).hexdigest()[:ASKER_CHARACTERS]


class Turns(Generic[Waiting]):
    """The reports that wait in memory. Each user has a queue, and the queues are served in turn."""

    def __init__(self) -> None:
        # set while a report waits
        self.is_waiting = asyncio.Event()
        self._waiting: dict[str, deque[Waiting]] = {}

    def put(self, asker: str, report: Waiting) -> None:
        """Add `report` to the queue of the user named `asker`."""
        self._waiting.setdefault(asker, deque()).append(report)
        self.is_waiting.set()

    def take(self) -> Waiting | None:
        """Remove and return the next report, or None when no report waits.

        The next report is the oldest one of the user whose turn it is.
        """
        asker = next(iter(self._waiting), None)
        if asker is None:
            return None
        reports = self._waiting.pop(asker)
        report = reports.popleft()
        if reports:
            # behind all others: a dict keeps the order of insertion
            self._waiting[asker] = reports
        elif not self._waiting:
            self.is_waiting.clear()
        return report

    def clear(self) -> None:
        """Remove all waiting reports."""
        self._waiting.clear()
        self.is_waiting.clear()


# Adds a job to a queue of saq, at its user's turn, in one step. A user's second job waits behind the first job of every
# other user, the third behind the second, and so on. Returns 0 when a limit is reached.
#   KEYS  the queue; the data of the new job; the unfinished jobs of this queue; those of each other queue
#   ARGV  the data; the most jobs of one user; the most in all; for each queue, what the names of the user's jobs
#         begin with, in the order of KEYS
PLACE = """
local queue, job, begin = KEYS[1], KEYS[2], ARGV[4]
local own, all = 0, 0
for index = 3, #KEYS do
    -- saq gives all members the score 0, so they are in the order of their names
    own = own + redis.call('ZLEXCOUNT', KEYS[index], '[' .. ARGV[index + 1] .. '-', '(' .. ARGV[index + 1] .. '.')
    all = all + redis.call('ZCARD', KEYS[index])
end
if own >= tonumber(ARGV[2]) or all >= tonumber(ARGV[3]) then return 0 end
redis.call('SET', job, ARGV[1])
redis.call('ZADD', KEYS[3], 0, job)
local waiting, ahead, seen = redis.call('LRANGE', queue, 0, -1), 0, {}
for _, name in ipairs(waiting) do
    if string.sub(name, 1, #begin) == begin then ahead = ahead + 1 end
end
for _, name in ipairs(waiting) do
    local asker = string.sub(name, 1, #begin)
    seen[asker] = (seen[asker] or 0) + 1
    if seen[asker] > ahead + 1 then
        redis.call('LINSERT', queue, 'BEFORE', name, job)
        return 1
    end
end
redis.call('RPUSH', queue, job)
return 1
"""
