"""Limits the packets of one connection that ask for nothing.

These are pings, unexpected pongs, acks and tiny fragments. No rate limit of users counts them, but each costs time.
"""

import time

from aiohttp import web

from .token_bucket import TokenBucket

# a client library sends one in some seconds, a large message in small fragments sends dozens at once
PER_SECOND = 10.0
BURST = 200.0
BUDGET = web.RequestKey("packet_budget", TokenBucket)


def charge(request: web.BaseRequest) -> bool:
    """Count one such packet of the connection that `request` opened. Return False when there were too many."""
    now = time.monotonic()
    if BUDGET not in request:
        # most connections never send such a packet
        request[BUDGET] = TokenBucket(PER_SECOND, BURST, now)
    return request[BUDGET].take(now) == 0.0
