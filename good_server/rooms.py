"""Every room: its name, its members, and who may join it.

Rooms are temporary. On every connect a socket joins the rooms of its verified identity, and on disconnect Socket.IO
removes it. The server stores nothing and cleans up nothing.
"""

import re
from typing import NamedTuple, Protocol

from .errors import Forbidden, Invalid
from .roles import TOPIC_ROOM_FORM, USER_ID_FORM, Identity, Role

_topic_room = re.compile(TOPIC_ROOM_FORM)
_own_room = re.compile(rf"(user|role|company):{USER_ID_FORM}")


class Address(NamedTuple):
    """The rooms for a later message, as names without a socket id.

    A job can store this address, and another process can send to it.
    """

    namespace: str
    rooms: tuple[str, ...]


def user_room(user: str) -> str:
    """Return the name of a user's room. All tabs and devices of the user are in it."""
    return f"user:{user}"


def role_room(role: Role) -> str:
    """Return the name of the room for all users of a role."""
    return f"role:{role}"


def company_room(company: str) -> str:
    """Return the name of the room for a company's users. Its drivers send to this room, but are not in it."""
    return f"company:{company}"


def topic_room(name: str) -> str:
    """Return `name` when it names a topic room (`job:<id>`).

    Raises `Forbidden` for a room that only the server fills, such as `user:ana`, and `Invalid` for any other text.
    """
    if _topic_room.fullmatch(name):
        return name
    if _own_room.fullmatch(name):
        raise Forbidden("this room is filled by the server alone")
    raise Invalid("a room looks like job:<id>", field="room")


def is_topic_room(room: str) -> bool:
    """Return whether `room` is a topic room. Clients may join and leave only topic rooms."""
    return _topic_room.fullmatch(room) is not None


def everyone() -> tuple[str, ...]:
    """Return the rooms of all roles. Every verified socket is in exactly one of them.

    An emit without a room would also reach sockets whose token is not verified yet.
    """
    return tuple(role_room(role) for role in Role)


def named_rooms(target: object) -> list[str]:
    """Return the rooms of an emit as a list.

    `target` is one room, or a list or tuple of rooms. Raises `ValueError` if there is no room or a name is empty:
    Socket.IO would send such an emit to everyone, also to sockets without a valid token.
    """
    names = [target] if isinstance(target, str) else target
    if not isinstance(names, list | tuple) or not names or not all(name and isinstance(name, str) for name in names):
        raise ValueError("an emit needs rooms to go to")
    return list(names)


def followers_of(driver: Identity) -> tuple[str, ...]:
    """Return the rooms that receive a driver's events: its company and admins."""
    if driver.company is None:
        return (role_room(Role.ADMIN),)
    return (company_room(driver.company), role_room(Role.ADMIN))


def base_rooms(identity: Identity) -> tuple[str, ...]:
    """Return the rooms that a socket with this identity cannot leave."""
    rooms: tuple[str, ...] = (user_room(identity.user), role_room(identity.role))
    if identity.role is Role.COMPANY and identity.company is not None:
        rooms += (company_room(identity.company),)
    return rooms


def rooms_at_connect(identity: Identity) -> tuple[str, ...]:
    """Return the rooms that a socket joins at every connect and reconnect."""
    return base_rooms(identity) + identity.topic_rooms


class Entitlements(Protocol):
    """Decides who may be in a topic room.

    The decision is business data, usually from a database. The database does not store who is in the room now:
    only Socket.IO knows the members.
    """

    async def may_join(self, identity: Identity, room: str) -> bool:
        """Return whether `identity` may be in the topic room `room` now."""
