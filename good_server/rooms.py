"""Names of all rooms, and rules about who may be in them.

Rooms are temporary. On every connect a socket joins the rooms of its verified identity. On disconnect, Socket.IO
removes the socket from them. So this code stores no members, and cleans up no rooms.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple, Protocol, runtime_checkable

from .errors import Forbidden, Invalid
from .roles import COMPANY_ID_FORM, NEEDS_COMPANY, TOPIC, TOPIC_ROOM_FORM, USER_ID_FORM, Identity, Role

_topic_room = re.compile(TOPIC_ROOM_FORM)
# a role that does not exist has the form of a room, too
_own_room = re.compile(rf"user:{USER_ID_FORM}|(role|company):{COMPANY_ID_FORM}")


class Address(NamedTuple):
    """The namespace and the rooms to which a message is sent later.

    An address has no socket id, so it is still valid after a reconnect. A job can store the address, and another
    process can send the message.
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
    """Return the name of the room for a company's users."""
    return f"company:{company}"


def topic_room(name: str) -> str:
    """Return `name` when it names a topic room, such as `job:17`.

    Raises `Forbidden` for a room that only the server adds sockets to, such as `user:ana`, and `Invalid` for any other
    text.
    """
    if _topic_room.fullmatch(name):
        return name
    if _own_room.fullmatch(name):
        raise Forbidden("this room is filled by the server alone")
    raise Invalid(f"a room looks like {TOPIC}:<id>", field="room")


def is_topic_room(room: str) -> bool:
    """Return whether `room` is a topic room, such as `job:17`. Clients may join and leave only topic rooms."""
    return _topic_room.fullmatch(room) is not None


def is_room(name: str) -> bool:
    """Return whether `name` is the name of a room.

    Users, roles, companies and topics have rooms. A socket id or a misspelled role is not the name of a room.
    """
    own = _own_room.fullmatch(name)
    return is_topic_room(name) or name in everyone() or (own is not None and own[1] != "role")


def everyone() -> tuple[str, ...]:
    """Return the rooms of all roles. Every verified socket is in exactly one of these rooms.

    Emit to these rooms to reach all users. An emit without a room would also reach sockets whose token is not verified.
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
    """Return the rooms of the driver's company and of all admins. These rooms receive the driver's events."""
    if driver.company is None:
        return (role_room(Role.ADMIN),)
    return (company_room(driver.company), role_room(Role.ADMIN))


def base_rooms(identity: Identity) -> tuple[str, ...]:
    """Return the rooms that a socket with this identity cannot leave.

    These are the rooms of the user and of the role, and for some roles also the room of the company.
    """
    rooms: tuple[str, ...] = (user_room(identity.user), role_room(identity.role))
    if identity.role in NEEDS_COMPANY and identity.company is not None:
        rooms += (company_room(identity.company),)
    return rooms


def rooms_at_connect(identity: Identity) -> tuple[str, ...]:
    """Return the rooms that a socket joins at every connect and reconnect.

    These are the rooms that it cannot leave, and the topic rooms, such as `job:17`, that its token names.
    """
    return base_rooms(identity) + identity.topic_rooms


class Entitlements(Protocol):
    """Decides who may be in a topic room, such as `job:17`.

    The decision usually comes from a database of your business. This database need not store which sockets are in a
    room now, because Socket.IO stores the members. A class with this interface can also have the method `rooms_of`, see
    `RoomsAtConnect`.
    """

    async def may_join(self, identity: Identity, room: str) -> bool:
        """Return whether the user `identity` may be in a topic room now. `room` is its name, such as `job:17`."""


@runtime_checkable
class RoomsAtConnect(Protocol):
    """Interface of an `Entitlements` object that has the optional method `rooms_of`.

    The method names the topic rooms, such as `job:17`, that a user's socket joins automatically.
    """

    async def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Return the topic rooms of `identity`, the most important ones first.

        A socket joins these rooms, such as `job:17`, at every connect and at `auth:refresh`, the event with a new
        token. If this method fails, takes too long, or returns a name that is no topic room, the connect or
        `auth:refresh` fails for now; standard clients repeat the connect. If this method raises a `Refusal`, the
        connect or `auth:refresh` fails with this error.
        """
