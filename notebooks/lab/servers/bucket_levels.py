"""Records the levels of token buckets inside a server process.

The lab reads the levels over HTTP.
"""

import time
from array import array
from typing import Any

from aiohttp import web

from good_server.rate_limits import RateLimits

# the longest recording of one user; scenario 10 makes about five thousand requests of the recorded kind
MOST_LEVELS = 50_000
# a record is a time, a level, and 1 or 0 for whether a token was taken
RECORD_NUMBERS = 3


class BucketLevels:
    """Records the level of a user's token bucket after each request.

    It wraps `RateLimits.wait_seconds`, a method that the good server calls before it handles an event.
    """

    def __init__(self) -> None:
        self._kind = ""
        # by user; numbers without objects, because the memory of this process is measured meanwhile
        self._records: dict[str, array[float]] = {}
        # known after the first recorded request
        self._rates: RateLimits | None = None

    def install(self) -> None:
        """Replace `RateLimits.wait_seconds` by a wrapper that records token bucket levels."""
        original = RateLimits.wait_seconds

        async def wait_seconds(rates: RateLimits, user: str, kind: str) -> float:
            seconds = await original(rates, user, kind)
            if kind == self._kind and user in self._records:
                self._record(rates, user, kind, was_taken=seconds == 0)
            return seconds

        RateLimits.wait_seconds = wait_seconds  # type: ignore[assignment]

    def _record(self, rates: RateLimits, user: str, kind: str, *, was_taken: bool) -> None:
        self._rates, records = rates, self._records[user]
        if len(records) < RECORD_NUMBERS * MOST_LEVELS:
            # the server shows nobody the level of a bucket, so this reads private names
            level = rates._buckets[user, kind]._tokens
            records.extend((time.monotonic(), level, was_taken))

    def add_routes(self, app: web.Application) -> None:
        """Add the HTTP routes that start and read a recording.

        The recording has the level of a user's token bucket after each request. Another route returns the present level
        of each recorded user.
        """
        app.router.add_post("/levels", self._start)
        app.router.add_get("/levels", self._read)
        app.router.add_get("/levels/now", self._read_now)

    async def _start(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._kind, self._records = body["kind"], {user: array("d") for user in body["users"]}
        return web.json_response({})

    async def _read(self, request: web.Request) -> web.Response:
        found: list[dict[str, Any]] = [
            {"user": user, "at_seconds": at, "level": level, "was_taken": bool(taken)}
            for user, records in self._records.items()
            for at, level, taken in zip(*[iter(records)] * RECORD_NUMBERS, strict=True)
        ]
        return web.json_response(found)

    async def _read_now(self, request: web.Request) -> web.Response:
        found: dict[str, float] = {}
        rates = self._rates
        if rates is None:
            return web.json_response(found)
        for user in self._records:
            bucket = rates._buckets.get((user, self._kind))
            if bucket is not None:
                # this call refills the bucket up to now
                bucket.is_full(rates._clock())
                found[user] = bucket._tokens
        return web.json_response(found)
