"""Checks whether a message on the Redis channel is a valid emit.

Every Redis client that has the right to publish can write to this channel, so the server checks each message. An emit
is valid only if it names its rooms.
"""

from collections.abc import Mapping
from typing import Any

from ..events import RESERVED
from ..orders import EMIT
from ..rooms import named_rooms


def is_room_emit(message: Mapping[str, Any]) -> bool:
    """Return whether `message` is a valid emit to named rooms.

    Emits have the format of python-socketio's `PubSubManager`. An emit with a callback is not valid.
    """
    event = message.get("event")
    return (
        message.get("method") == EMIT
        and isinstance(event, str)
        and event not in RESERVED | {""}
        and isinstance(message.get("namespace"), str)
        and isinstance(message.get("data"), list)
        and isinstance(message.get("binary", False), bool)
        # an answer would have to travel back, and for a room there is none
        and message.get("callback") is None
        and _is_skip(message.get("skip_sid"))
        and _has_rooms(message.get("room"))
    )


def _is_skip(skip: object) -> bool:
    return all(isinstance(sid, str) for sid in skip) if isinstance(skip, list) else isinstance(skip, str | None)


def _has_rooms(target: object) -> bool:
    try:
        return bool(named_rooms(target))
    except ValueError:
        return False
