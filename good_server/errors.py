"""Every error that refuses a request or connection, with its stable code.

Programs compare the codes; people read the messages.

    Refusal
    ├── Invalid            invalid            the payload does not match the event
    ├── Forbidden          forbidden          well-formed, but not allowed for this identity
    ├── RateLimited        rate_limited       too many events; `retry_after` is the wait in seconds
    ├── UnknownEvent       unknown_event      no such event
    ├── TooManyRooms       too_many_rooms     the socket is in as many topic rooms (`job:17`) as allowed
    ├── Busy               busy               a queue is full; try later
    │   └── TemporarilyUnavailable   busy     the token cannot be verified now; a refused connect gets no code
    ├── TimedOut           timeout            the handler exceeded its deadline
    ├── Unauthorized       unauthorized       the token is not accepted
    │   └── TokenExpired   token_expired      the token was valid and has expired
    ├── UnknownNamespace   unknown_namespace  no such namespace
    └── Internal           internal           an error in the server; the log entry has the same `id`

The message of an error never repeats what the client sent: an attacker could have written it. A `reason` is one word
for the operator's log and metrics. It is never sent to the client, because it would help an attacker who tries tokens.
"""

from typing import Any, ClassVar


class Refusal(Exception):
    """Exception that refuses a request or connection, with a stable `code`."""

    code: ClassVar[str] = "internal"
    message: ClassVar[str] = "the request was refused"

    def __init__(
        self,
        message: str | None = None,
        *,
        field: str | None = None,
        retry_after: float | None = None,
        id: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message or self.message)
        self.field = field
        self.retry_after = retry_after
        self.id = id
        self.reason = reason

    def as_error(self) -> dict[str, Any]:
        """Return the refusal as the `error` of an ack.

        The keys are `code` and `message`, and, if they have a value, `field`, `retry_after` (seconds) and `id`.
        """
        error: dict[str, Any] = {"code": self.code, "message": str(self)}
        extras = {"field": self.field, "retry_after": self.retry_after, "id": self.id}
        return error | {name: value for name, value in extras.items() if value is not None}


class Invalid(Refusal):
    code = "invalid"
    message = "the payload is not what this event takes"


class Forbidden(Refusal):
    code = "forbidden"
    message = "not allowed for this user"


class RateLimited(Refusal):
    code = "rate_limited"
    message = "too many requests; wait for retry_after seconds"


class UnknownEvent(Refusal):
    code = "unknown_event"
    message = "there is no such event"


class TooManyRooms(Refusal):
    code = "too_many_rooms"
    message = "this socket is in as many topic rooms as it may be; leave one first"


class Busy(Refusal):
    code = "busy"
    message = "too much is waiting already; try again later"


class TemporarilyUnavailable(Busy):
    message = "the token cannot be verified now; try again later"


class TimedOut(Refusal):
    code = "timeout"
    message = "the request took too long and was given up"


class Unauthorized(Refusal):
    code = "unauthorized"
    message = "a valid token is required"


class TokenExpired(Unauthorized):
    code = "token_expired"
    message = "the token has expired; get a new one"


class UnknownNamespace(Refusal):
    code = "unknown_namespace"
    message = "nothing is served in this namespace"


class Internal(Refusal):
    code = "internal"
    message = "something went wrong here; quote the id when you ask about it"
