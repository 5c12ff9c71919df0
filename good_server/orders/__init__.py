"""Orders: commands that a back end sends to the server.

Orders arrive through a Redis channel, through the internal port, or from the command line. This package checks orders,
and converts them to and from the messages on the Redis channel. It imports only small modules, because the back end (a
web framework or a queue worker) imports this package, too.
"""

from .messages import EMIT, MOST_BYTES, NAMESPACE, checked_message, emit_order, encoded, read_message
from .targets import MOST_ROOMS, Topics, checked_target
from .users import (
    DISCONNECT,
    MOST_DENY_SECONDS,
    MOVE,
    SKEW_MS,
    Disconnect,
    Move,
    disconnect_order,
    is_plausible,
    move_order,
    read_order,
)

__all__ = [
    "DISCONNECT",
    "EMIT",
    "MOST_BYTES",
    "MOST_DENY_SECONDS",
    "MOST_ROOMS",
    "MOVE",
    "NAMESPACE",
    "SKEW_MS",
    "Disconnect",
    "Move",
    "Topics",
    "checked_message",
    "checked_target",
    "disconnect_order",
    "emit_order",
    "encoded",
    "is_plausible",
    "move_order",
    "read_message",
    "read_order",
]
