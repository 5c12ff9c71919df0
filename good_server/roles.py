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
    Raises `ValueError` if `expires_at` is not finite: a comparison with NaN is always false, so such an identity would
    never expire.
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
        """Return how many seconds before the expiry the user is warned.

        This is `most`, or a third of the time from the token's verification to its expiry if that is shorter. Otherwise
        a token that is valid for less than `most` seconds would cause a warning at once, and so would each new token.
        """
        if self.verified_at is None:
            return most
        return min(most, (self.expires_at - self.verified_at) / 3)
