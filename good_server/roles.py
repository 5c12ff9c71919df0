"""Roles of users, the format of ids, and the verified identity."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

# narrow on purpose: an id becomes part of a room's name; without anchors, so match in full
USER_ID_FORM = r"[A-Za-z0-9._@-]{1,64}"
TOPIC_ROOM_FORM = r"job:[A-Za-z0-9_-]{1,32}"

UserId = Annotated[str, StringConstraints(pattern=f"^{USER_ID_FORM}$")]
CompanyId = UserId


class Role(StrEnum):
    """The role of a user. A token names exactly one."""

    ADMIN = "admin"
    DRIVER = "driver"
    COMPANY = "company"
    PROVIDER = "provider"
    VENDOR = "vendor"


@dataclass(frozen=True, slots=True)
class Identity:
    """The verified user of a connection, from the token.

    `topic_rooms` are the rooms that the token grants; `expires_at` is in seconds since the epoch.
    """

    user: str
    role: Role
    expires_at: float
    company: str | None = None
    topic_rooms: tuple[str, ...] = ()
