"""Commands by which a back end moves or disconnects a user.

To move a user means to change the rooms of all sockets of the user.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from ..denials import Denial
from ..roles import UserId
from .targets import Topics, checked_topics, checked_user

# the methods of these messages on the channel; python-socketio has others, which servers ignore
MOVE: Final = "move_user"
DISCONNECT: Final = "disconnect_user"
# a longer ban is a matter for the program that issues tokens
MOST_DENY_SECONDS = 366 * 24 * 3600
# the clocks of two machines differ by seconds, not by minutes
SKEW_MS = 300_000


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Move(_Order):
    """Command to change the topic rooms of a user's sockets.

    A topic room is a room that clients may join and leave. The sockets join the rooms in `join`, and leave the rooms in
    `leave`.
    """

    method: Literal["move_user"] = MOVE
    user: UserId
    join: Topics = Field(default_factory=list)
    leave: Topics = Field(default_factory=list)

    @model_validator(mode="after")
    def _moves(self) -> "Move":
        if not self.join and not self.leave:
            raise ValueError("join or leave must name a room")
        if set(self.join) & set(self.leave):
            raise ValueError("a room cannot be in both join and leave")
        return self


class Disconnect(_Order):
    """Command to disconnect all sockets of a user and to refuse tokens.

    The server refuses tokens of the user that were issued up to `issued_until`. Until `all_until`, it refuses every
    token of the user. Both times are in milliseconds since the epoch; a time of 0 refuses no token.
    """

    method: Literal["disconnect_user"] = DISCONNECT
    user: UserId
    issued_until: Annotated[int, Field(ge=0)] = 0
    all_until: Annotated[int, Field(ge=0)] = 0

    @property
    def denial(self) -> Denial:
        return Denial(self.issued_until, self.all_until)


_ORDER: TypeAdapter[Move | Disconnect] = TypeAdapter(Annotated[Move | Disconnect, Field(discriminator="method")])


def read_order(message: Mapping[str, Any], now: float) -> Move | Disconnect | None:
    """Return the order (a command of a back end) in a message.

    The message is checked, because any client of this Redis could have written it. Return None if the message has no
    valid order, or if `is_plausible` refuses the times in the order. `now` is in seconds since the epoch.
    """
    try:
        order = _ORDER.validate_python(dict(message))
    except ValidationError:
        return None
    if isinstance(order, Disconnect) and not is_plausible(order.denial, now):
        return None
    return order


def is_plausible(denial: Denial, now: float) -> bool:
    """Return whether the times of a denial are plausible.

    A denial says which tokens of a user are refused. `issued_until` must not be in the future, and `all_until` must be
    at most `MOST_DENY_SECONDS` in the future. Five minutes of difference between clocks are tolerated. `now` is in
    seconds since the epoch.
    """
    latest = now * 1000 + SKEW_MS
    return 0 <= denial.issued_until <= latest and 0 <= denial.all_until <= latest + MOST_DENY_SECONDS * 1000


def move_order(user: str, join: Sequence[str], leave: Sequence[str]) -> Move:
    """Return a command that changes the rooms of a user's sockets.

    The command puts the sockets into the rooms in `join`, and takes them out of the rooms in `leave`. These must be
    topic rooms: rooms that clients may join and leave. Raises `ValueError` with one line if a name is not valid, if
    both lists are empty, or if a room is in both lists.
    """
    try:
        return Move(user=checked_user(user), join=checked_topics(join), leave=checked_topics(leave))
    except ValidationError as error:
        text = error.errors(include_input=False, include_url=False, include_context=False)[0]["msg"]
        raise ValueError(text.removeprefix("Value error, ")) from None


def disconnect_order(user: str, deny_seconds: float | None, now: float) -> Disconnect:
    """Return a command that disconnects a user and denies the user's tokens.

    The server refuses denied tokens. If `deny_seconds` is None, the command denies all tokens of the user that were
    issued up to `now`, in seconds since the epoch. If `deny_seconds` is a number, the command denies every token of the
    user for so many seconds; 0 denies no token. Raises `ValueError` with one line if an argument is not valid.
    """
    now_ms = int(now * 1000)
    denial = Denial(issued_until=now_ms)
    if deny_seconds is not None:
        is_number = isinstance(deny_seconds, int | float) and not isinstance(deny_seconds, bool)
        if not is_number or not 0 <= deny_seconds <= MOST_DENY_SECONDS:
            raise ValueError(f"deny_seconds must be 0 to {MOST_DENY_SECONDS}")
        denial = Denial(all_until=now_ms + round(deny_seconds * 1000)) if deny_seconds else Denial()
    return Disconnect(user=checked_user(user), issued_until=denial.issued_until, all_until=denial.all_until)
