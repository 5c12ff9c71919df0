"""Closes transports. Every close has a time limit."""

import asyncio

from aiohttp import web

# A peer that reads takes its last messages in this time. A peer that is gone never does, and its transport would stay.
LINGER_SECONDS = 1.0
# why the server closed a connection, for the log
CLOSE_REASON = web.RequestKey("close_reason", str)


def close_soon(transport: asyncio.WriteTransport) -> None:
    """Close `transport` after its waiting bytes are sent, at most `LINGER_SECONDS` later."""
    transport.close()
    if transport.get_write_buffer_size():
        asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.abort)
