"""Handlers of `room:join` and `room:leave`.

Clients may join and leave only topic rooms: rooms about one subject, such as one order or one conversation.
"""

from typing import Any

from .. import events
from ..errors import Forbidden, TooManyRooms
from ..events import RoomChange, RoomChanged
from ..gateway import Request, Route
from ..rooms import Entitlements, is_topic_room, topic_room


def routes(entitlements: Entitlements, *, rooms_per_socket: int) -> tuple[Route, ...]:
    """Return the routes of `room:join` and `room:leave`.

    A route is an event with its handler and checks. Clients may join only topic rooms. `entitlements` decides who may
    join which of them. A socket may be in at most `rooms_per_socket` topic rooms.
    """

    async def join(request: Request, change: RoomChange) -> dict[str, Any]:
        room = topic_room(change.room)
        if not (room in request.identity.topic_rooms or await entitlements.may_join(request.identity, room)):
            raise Forbidden("not entitled to this room")
        others = [name for name in request.rooms() if is_topic_room(name) and name != room]
        if len(others) >= rooms_per_socket:
            raise TooManyRooms
        await request.join(room)
        return {"room": room}

    async def leave(request: Request, change: RoomChange) -> dict[str, Any]:
        room = topic_room(change.room)
        await request.leave(room)
        return {"room": room}

    return (
        Route(events.ROOM_JOIN, RoomChange, join, answer=RoomChanged),
        Route(events.ROOM_LEAVE, RoomChange, leave, answer=RoomChanged),
    )
