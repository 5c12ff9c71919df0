"""Limits the packets of one connection that are not events.

These are pings, unexpected pongs, acks and tiny fragments of messages. The rate limits of users do not count them, but
each packet costs CPU time.
"""

import time

from aiohttp import web

from .token_bucket import TokenBucket

# a client library sends one in some seconds, a large message in small fragments sends dozens at once
PER_SECOND = 10.0
BURST = 200.0
BUDGET = web.RequestKey("packet_budget", TokenBucket)


def charge(request: web.BaseRequest) -> bool:
    """Count one packet that is not an event. Return whether the limit allows it.

    `request` is the HTTP request that opened the connection. The limit is per connection.
    """
    now = time.monotonic()
    if BUDGET not in request:
        # most connections never send such a packet
        request[BUDGET] = TokenBucket(PER_SECOND, BURST, now)
    return request[BUDGET].take(now) == 0.0
