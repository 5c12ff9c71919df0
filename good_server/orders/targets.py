"""Checks the users and rooms in the commands of back ends."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

from ..roles import USER_ID_FORM
from ..rooms import is_room, is_topic_room

# rooms in one order: enough for a list that people chose, and far below what blocks the event loop
MOST_ROOMS = 1000


def checked_user(user: object) -> str:
    """Return `user` if it is a user id. Raises `ValueError` if it is not."""
    if not isinstance(user, str) or not re.fullmatch(USER_ID_FORM, user):
        raise ValueError("user must be a user id")
    return user


def checked_target(to: object) -> list[str]:
    """Return the rooms to which a message is sent, each room once.

    Raises `ValueError` if `to` is no list, is empty, has more than `MOST_ROOMS` entries, or has a name that is not the
    name of a room.
    """
    if isinstance(to, str) or not isinstance(to, Sequence) or not to:
        raise ValueError("to must be a list of room names, with one at least")
    if len(to) > MOST_ROOMS:
        raise ValueError(f"to must have at most {MOST_ROOMS} rooms")
    if not all(isinstance(room, str) and is_room(room) for room in to):
        raise ValueError("to has a name that is no room of a user, role, company or topic")
    return list(dict.fromkeys(to))


def checked_topics(rooms: object) -> list[str]:
    """Return the topic rooms in `rooms`, each room once.

    A topic room is a room that clients may join and leave. Raises `ValueError` if `rooms` is no list, has more than
    `MOST_ROOMS` entries, or has a name that is not the name of a topic room.
    """
    if isinstance(rooms, str) or not isinstance(rooms, Sequence):
        raise ValueError("join and leave must be lists of topic rooms")
    if len(rooms) > MOST_ROOMS:
        raise ValueError(f"join and leave must have at most {MOST_ROOMS} rooms")
    if not all(isinstance(room, str) and is_topic_room(room) for room in rooms):
        raise ValueError("join and leave take topic rooms only")
    return list(dict.fromkeys(rooms))


Topics = Annotated[list[str], AfterValidator(checked_topics)]
