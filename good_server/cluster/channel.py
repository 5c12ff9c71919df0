"""Checks of the messages that come from other programs through Redis.

Every client of Redis that may publish can write to the channel. Only emits to named rooms are accepted.
"""

from collections.abc import Mapping
from typing import Any

from ..events import RESERVED
from ..rooms import named_rooms

EMIT = "emit"


def is_room_emit(message: Mapping[str, Any]) -> bool:
    """Return whether a message is an emit to named rooms.

    Its form is that of python-socketio's `PubSubManager`.
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
