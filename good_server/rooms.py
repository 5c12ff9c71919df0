"""Every room: its name, its members, and who may join it.

Rooms are temporary by design. Sockets join them on every connect, from the verified identity alone, and Socket.IO
empties them on disconnect. There is nothing to store and nothing to clean up.
"""

import re
from typing import NamedTuple, Protocol

from .errors import Forbidden, Invalid
from .roles import TOPIC_ROOM_FORM, USER_ID_FORM, Identity, Role

_topic_room = re.compile(TOPIC_ROOM_FORM)
_own_room = re.compile(rf"(user|role|company):{USER_ID_FORM}")


class Address(NamedTuple):
    """The rooms of a later message, as plain names without a socket.

    A job can store it, and another process can send to it.
    """

    namespace: str
    rooms: tuple[str, ...]


def user_room(user: str) -> str:
    """Return the room of one user: all tabs and all devices."""
    return f"user:{user}"


def role_room(role: Role) -> str:
    """Return the room of one role."""
    return f"role:{role}"


def company_room(company: str) -> str:
    """Return the room of one company's users. Drivers publish to it and are not in it."""
    return f"company:{company}"


def topic_room(name: str) -> str:
    """Return `name` when it names a topic room (`job:<id>`).

    Raises `Forbidden` for a room that the server alone fills, and `Invalid` for any other text.
    """
    if _topic_room.fullmatch(name):
        return name
    if _own_room.fullmatch(name):
        raise Forbidden("this room is filled by the server alone")
    raise Invalid("a room looks like job:<id>", field="room")


def is_topic_room(room: str) -> bool:
    """Whether clients may ask to join and leave this room."""
    return _topic_room.fullmatch(room) is not None


def everyone() -> tuple[str, ...]:
    """Return the rooms of all sockets: each has exactly one role.

    An emit without a target would also reach sockets that are not authenticated yet.
    """
    return tuple(role_room(role) for role in Role)


def followers_of(driver: Identity) -> tuple[str, ...]:
    """Return the rooms that see a driver: admins and its company."""
    if driver.company is None:
        return (role_room(Role.ADMIN),)
    return (company_room(driver.company), role_room(Role.ADMIN))


def base_rooms(identity: Identity) -> tuple[str, ...]:
    """Return the rooms that an identity cannot leave while it is connected."""
    rooms: tuple[str, ...] = (user_room(identity.user), role_room(identity.role))
    if identity.role is Role.COMPANY and identity.company is not None:
        rooms += (company_room(identity.company),)
    return rooms


def rooms_at_connect(identity: Identity) -> tuple[str, ...]:
    """Return the rooms to join on every connect, reconnects included."""
    return base_rooms(identity) + identity.topic_rooms


class Entitlements(Protocol):
    """Who may be in a topic room.

    That is business data and belongs in a database. Who *is* in the room now does not: Socket.IO knows it.
    """

    async def may_join(self, identity: Identity, room: str) -> bool:
        """Whether `identity` may be in the topic room `room` now."""
