"""Roles of users, the format of ids, and the verified identity.

Change `TOPIC`, `Role` and `NEEDS_COMPANY` for your product; the rest of this file does not depend on the product.
"""

import math
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

# the kind of thing that topic rooms are about, such as the room `job:17`
TOPIC = "job"

# narrow on purpose: an id becomes part of a room's name; without anchors, so match in full
# the ids of identity providers fit: `auth0|abc`, `ana+test@example.com`, UUIDs
USER_ID_FORM = r"[A-Za-z0-9._@+|-]{1,128}"
COMPANY_ID_FORM = r"[A-Za-z0-9._@-]{1,64}"
TOPIC_ROOM_FORM = rf"{TOPIC}:[A-Za-z0-9_-]{{1,32}}"
# the room in the examples and in the tokens of development mode
EXAMPLE_ROOM = f"{TOPIC}:17"

UserId = Annotated[str, StringConstraints(pattern=f"^{USER_ID_FORM}$")]
CompanyId = Annotated[str, StringConstraints(pattern=f"^{COMPANY_ID_FORM}$")]


class Role(StrEnum):
    """The role of a user. A token names exactly one role."""

    ADMIN = "admin"
    DRIVER = "driver"
    COMPANY = "company"
    PROVIDER = "provider"
    VENDOR = "vendor"


# roles whose tokens must name a company; their users are in its room
NEEDS_COMPANY: frozenset[Role] = frozenset({Role.COMPANY})


@dataclass(frozen=True, slots=True)
class Identity:
    """The verified user of a connection, from its token or your `Authenticator`.

    `topic_rooms` are the topic rooms, such as `job:17`, that the token grants. `expires_at`, `verified_at` and
    `issued_at` are in seconds since the epoch. Without `expires_at`, the session ends only with its connection. Raises
    `ValueError` if a value is not well-formed: a forged room such as `user:bob` would be another user's room, and with
    NaN as expiry a session would never end.
    """

    user: str
    role: Role
    expires_at: float | None
    company: str | None = None
    topic_rooms: tuple[str, ...] = ()
    verified_at: float | None = field(default=None, compare=False)
    # a denial of the user's older tokens compares it; without it, the token counts as an older one
    issued_at: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        # a comparison with NaN is always false
        if self.expires_at is not None and not math.isfinite(self.expires_at):
            raise ValueError("an identity expires at a finite time, or not at all")
        if not _has_form(USER_ID_FORM, self.user):
            raise ValueError("the user of an identity is 1 to 128 of A-Z a-z 0-9 . _ @ + | -")
        if not isinstance(self.role, Role):
            raise ValueError("the role of an identity is a Role, not a text")
        if self.company is not None and not _has_form(COMPANY_ID_FORM, self.company):
            raise ValueError("the company of an identity is 1 to 64 of A-Z a-z 0-9 . _ @ -")
        if not all(_has_form(TOPIC_ROOM_FORM, room) for room in self.topic_rooms):
            raise ValueError("the rooms of an identity are topic rooms")

    def is_expired(self, now: float) -> bool:
        """Return whether the identity has expired. `now` is in seconds since the epoch."""
        return self.expires_at is not None and now >= self.expires_at

    def notice_seconds(self, most: float) -> float:
        """Return how many seconds before the expiry the user is warned.

        This is the shorter of two times: `most` seconds, and a third of the time from the token's verification to its
        expiry. With `most` alone, a token that is valid for less than `most` seconds would cause a warning at once.
        """
        if self.verified_at is None or self.expires_at is None:
            return most
        return min(most, (self.expires_at - self.verified_at) / 3)


def _has_form(form: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(form, value) is not None
