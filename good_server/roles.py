"""Roles of users, the format of ids, and the verified identity."""

import math
from dataclasses import dataclass, field
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

    `topic_rooms` are the rooms that the token grants; `expires_at` and `verified_at` are in seconds since the epoch.
    Raises `ValueError` for an expiry that is no finite number: every comparison with NaN is false, so it never comes.
    """

    user: str
    role: Role
    expires_at: float
    company: str | None = None
    topic_rooms: tuple[str, ...] = ()
    verified_at: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not math.isfinite(self.expires_at):
            raise ValueError("an identity expires at a finite time")

    def notice_seconds(self, most: float) -> float:
        """Return how long before its expiry the user is warned. It is at most `most`, and a third of the time left.

        With more, a token that lives no longer than `most` would cause a warning at once, and each refresh another one.
        """
        if self.verified_at is None:
            return most
        return min(most, (self.expires_at - self.verified_at) / 3)
