"""Answers for every room: how it is named, who is in it from the start, who may join it later.

Rooms are temporary by design. They are joined on every connect, from the verified identity alone, and Socket.IO
empties them on disconnect: there is nothing here to store and nothing to clean up.
"""

import re
from typing import NamedTuple, Protocol

from .errors import Forbidden, Invalid
from .roles import TOPIC_ROOM_FORM, USER_ID_FORM, Identity, Role

_topic_room = re.compile(TOPIC_ROOM_FORM)
_own_room = re.compile(rf"(user|role|company):{USER_ID_FORM}")


class Address(NamedTuple):
    """Where something goes that is sent later, perhaps by another process: names alone, no socket and no connection."""

    namespace: str
    rooms: tuple[str, ...]


def user_room(user: str) -> str:
    """Every socket of one user: all tabs, all devices."""
    return f"user:{user}"


def role_room(role: Role) -> str:
    """Every socket of one role."""
    return f"role:{role}"


def company_room(company: str) -> str:
    """Every socket of role `company` whose token names that company; drivers publish to it and are not in it."""
    return f"company:{company}"


def topic_room(name: str) -> str:
    """`name` itself when it names a topic room (`job:<id>`).

    Raises `Forbidden` for a room that the server alone fills, `Invalid` for what is no room at all.
    """
    if _topic_room.fullmatch(name):
        return name
    if _own_room.fullmatch(name):
        raise Forbidden("this room is filled by the server alone")
    raise Invalid("a room looks like job:<id>", field="room")


def is_topic_room(room: str) -> bool:
    """Whether a room is one that clients may ask to join and leave."""
    return _topic_room.fullmatch(room) is not None


def everyone() -> tuple[str, ...]:
    """All sockets, as rooms: each socket is in exactly one role's room.

    An emit without a target would also reach sockets that are not authenticated yet.
    """
    return tuple(role_room(role) for role in Role)


def followers_of(driver: Identity) -> tuple[str, ...]:
    """Who sees a driver: the admins, and the driver's own company where there is one."""
    if driver.company is None:
        return (role_room(Role.ADMIN),)
    return (company_room(driver.company), role_room(Role.ADMIN))


def base_rooms(identity: Identity) -> tuple[str, ...]:
    """The rooms an identity is in for as long as it is connected; nobody can leave them."""
    rooms: tuple[str, ...] = (user_room(identity.user), role_room(identity.role))
    if identity.role is Role.COMPANY and identity.company is not None:
        rooms += (company_room(identity.company),)
    return rooms


def rooms_at_connect(identity: Identity) -> tuple[str, ...]:
    """The rooms to join on every connect, the first as well as the hundredth reconnect."""
    return base_rooms(identity) + identity.topic_rooms


class Entitlements(Protocol):
    """Who may be in a topic room. That is business data and belongs in a database; who *is* in it does not."""

    async def may_join(self, identity: Identity, room: str) -> bool:
        """Whether `identity` may be in the topic room `room` now."""
        ...
