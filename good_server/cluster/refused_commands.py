"""Counts the commands that Redis answered with an error.

An error reply is not an outage. A replica, or a Redis that is out of memory, refuses writes but still publishes.
"""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter

from ..observability import log

# a primary that became a replica: https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
READONLY = "READONLY"
WRITES = frozenset({"OOM", READONLY, "MISCONF", "NOREPLICAS"})
OTHERS = frozenset(
    {"ASK", "BUSY", "CLUSTERDOWN", "CROSSSLOT", "EXECABORT", "MASTERDOWN", "MOVED", "NOPERM", "TRYAGAIN", "WRONGTYPE"}
)
# a code that was not seen for this long is over: each heartbeat brings a write
OVER_SECONDS = 3.0


def code_of(error: Exception) -> str:
    """Return the code of an error reply, such as `OOM`. If the code is unknown, return `ERR`."""
    # in a pipeline, redis-py writes its own words in front of those of Redis
    code = getattr(error, "status_code", None) or str(error).rpartition("caused error: ")[2].strip("('\"").split(" ")[0]
    return code if code in WRITES | OTHERS else "ERR"


class RefusedCommands:
    """Counts the error replies of Redis by their code.

    For each code, the class logs the first error. It logs again when Redis no longer answers with this code.
    """

    def __init__(self, registry: CollectorRegistry, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.on_over: list[Callable[[], None]] = []
        self._clock = clock
        self._seen_at: dict[str, float] = {}
        self._total = Counter("server_redis_refused", "Commands that Redis refused.", ["code"], registry=registry)

    def __contains__(self, code: str) -> bool:
        return code in self._seen_at

    @property
    def detail(self) -> str:
        """What Redis refuses now, as text, such as `redis refuses writes (OOM)`. Empty if it refuses nothing."""
        if not self._seen_at:
            return ""
        what = "writes" if self._seen_at.keys() <= WRITES else "commands"
        return f"redis refuses {what} ({', '.join(sorted(self._seen_at))})"

    def count(self, error: Exception) -> str:
        """Count one error reply, and return its code."""
        code = code_of(error)
        self._total.labels(code).inc()
        if code not in self._seen_at:
            log.warning("redis refuses commands", code=code)
        self._seen_at[code] = self._clock()
        return code

    def end(self, code: str) -> None:
        """Forget an error code such as `OOM`; call all functions in `on_over`.

        Call this when Redis no longer answers commands with this error. If the code is not stored, nothing happens.
        """
        if self._seen_at.pop(code, None) is None:
            return
        log.info("redis accepts commands again", code=code)
        for callback in self.on_over:
            callback()

    def end_old(self) -> None:
        """Forget each error code that Redis has not sent for `OVER_SECONDS`. This calls `end` for the code."""
        since = self._clock() - OVER_SECONDS
        for code in [code for code, seen_at in self._seen_at.items() if seen_at < since]:
            self.end(code)
