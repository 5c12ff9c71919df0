"""Finds the topic rooms (such as `job:17`) that a socket joins automatically."""

import asyncio
import uuid
from collections.abc import Sequence, Set

from ..errors import Refusal, TemporarilyUnavailable
from ..observability import log
from ..roles import Identity
from ..rooms import RoomsAtConnect, is_topic_room
from .deadline import with_deadline
from .route import Guards


async def entitled_rooms(guards: Guards, identity: Identity, besides: Set[str]) -> tuple[str, ...]:
    """Return the topic rooms that `guards.entitlements.rooms_of` names for this identity.

    `guards.entitlements` is the product's object that decides who may be in a topic room, such as `job:17`. If this
    object has no method `rooms_of`, return no rooms. `besides` are topic rooms that the socket is already in, or is
    about to join. A socket can be in at most `SERVER_ROOMS_PER_SOCKET` topic rooms. If there are more, the last rooms
    are left out and a warning is logged: a refusal would lock the user out.

    Raises `TemporarilyUnavailable` if `rooms_of` fails, takes too long, or returns a name that is no topic room. A
    standard client tries to connect again after this refusal, but never after a refusal with the code `internal`. If
    `rooms_of` itself raises a `Refusal`, this refusal is raised unchanged.
    """
    source, settings = guards.entitlements, guards.settings
    if not isinstance(source, RoomsAtConnect):
        return ()
    # an answer that comes later would pass the deadline of its connect or its event, which refuses for good
    seconds = min(settings.handshake_seconds, settings.handler_seconds) / 2
    try:
        rooms = tuple(dict.fromkeys(await with_deadline(seconds, source.rooms_of(identity))))
        _check(rooms)
    except Refusal:
        raise
    except (Exception, asyncio.CancelledError) as error:
        text = "your rooms cannot be read now; try again later"
        refusal = TemporarilyUnavailable(text, id=uuid.uuid4().hex, reason="rooms_unknown")
        log.error("rooms_of failed", user=identity.user, id=refusal.id, exc_info=error)
        raise refusal from error
    return _within(rooms, settings.rooms_per_socket - len(besides), besides, identity)


def _check(rooms: Sequence[object]) -> None:
    for room in rooms:
        if not isinstance(room, str) or not is_topic_room(room):
            raise ValueError(f"{room!r} is no topic room")


def _within(rooms: Sequence[str], space: int, besides: Set[str], identity: Identity) -> tuple[str, ...]:
    """Return `rooms`, with at most `space` new rooms.

    A room is new if it is not in `besides`, the rooms that the socket already has. If there are too many new rooms, the
    last of them are left out, and a warning is logged.
    """
    new = [room for room in rooms if room not in besides]
    left_out = set(new[max(0, space) :])
    if left_out:
        log.warning("too many rooms", user=identity.user, left_out=len(left_out), setting="SERVER_ROOMS_PER_SOCKET")
    return tuple(room for room in rooms if room not in left_out)
