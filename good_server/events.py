"""The wire contract: every event's name and payload, in both directions.

Payloads are strict: no extra keys, no coercion, finite numbers only. The server itself sets the sender and the time of
a message. No request contains them, so a client cannot forge them.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from .roles import Role, UserId

CHAT_SEND = "chat:send"
TRACKING_UPDATE = "tracking:update"
DRIVER_STATUS = "driver:status"
SYSTEM_ANNOUNCE = "system:announce"
ROOM_JOIN = "room:join"
ROOM_LEAVE = "room:leave"
REPORT_REQUEST = "report:request"
AUTH_REFRESH = "auth:refresh"

CHAT_MESSAGE = "chat:message"
TRACKING_POSITION = "tracking:position"
DRIVER_STATUS_CHANGED = "driver:status_changed"
SYSTEM_ANNOUNCEMENT = "system:announcement"
REPORT_READY = "report:ready"
AUTH_EXPIRING = "auth:expiring"
SERVER_CLOSING = "server:closing"
SESSION_EVICTED = "session:evicted"

# names that Socket.IO reserves; an honest client never sends one
RESERVED = frozenset({"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})

# NUL ends strings early in many of the systems that a text may reach
Text = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00]*$")]
MessageId = Annotated[Text, StringConstraints(max_length=64)]
# rooms.py checks the form of a room: it tells a malformed name from a forbidden one; the longest one is `user:<id>`
RoomName = Annotated[Text, StringConstraints(max_length=160)]
Level = Literal["info", "warning", "critical"]
Status = Literal["available", "busy", "offline"]
ReportKind = Literal["cpu", "outside"]


class Payload(BaseModel):
    """Base class for the payload of an event from a client."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _one_of(*fields: str) -> ConfigDict:
    """Return a model config whose JSON Schema requires exactly one of `fields`."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in fields]})


class ChatSend(Payload):
    model_config = _one_of("to", "room")

    to: UserId | None = None
    room: RoomName | None = None
    text: Annotated[Text, StringConstraints(max_length=4000)]
    id: MessageId | None = None

    @model_validator(mode="after")
    def _has_one_target(self) -> "ChatSend":
        if (self.to is None) == (self.room is None):
            raise ValueError("exactly one of to and room is required")
        return self


class TrackingUpdate(Payload):
    lat: Annotated[float, Field(ge=-90, le=90)]
    lng: Annotated[float, Field(ge=-180, le=180)]
    heading: Annotated[float, Field(ge=0, le=360)] | None = None
    speed: Annotated[float, Field(ge=0)] | None = None


class DriverStatus(Payload):
    status: Status


class SystemAnnounce(Payload):
    text: Annotated[Text, StringConstraints(max_length=2000)]
    level: Level
    # JSON has no enums, so these strings alone are not strict
    roles: Annotated[list[Annotated[Role, Field(strict=False)]], Field(min_length=1, max_length=len(Role))] | None = (
        None
    )


class RoomChange(Payload):
    room: RoomName


class ReportRequest(Payload):
    kind: ReportKind
    size: Annotated[int, Field(ge=1, le=2000, description="milliseconds")]


class AuthRefresh(Payload):
    token: Annotated[str, StringConstraints(min_length=1)]


class Answer(BaseModel):
    """Base class for the `data` of a successful ack. Times in it are milliseconds since the epoch."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Sent(Answer):
    id: str
    at: int


class Noted(Answer):
    at: int


class RoomChanged(Answer):
    room: str


class ReportTaken(Answer):
    job: str


class SessionExtended(Answer):
    expires_at: int


class Message(BaseModel):
    """Base class for messages from the server. In JSON, an optional field without a value is left out.

    Set `is_volatile` for messages that are useless when they arrive late, such as typing indicators. If the server has
    the optional folder `delivery/`, a client that has not read its earlier messages does not receive such a message.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    event: ClassVar[str]
    is_volatile: ClassVar[bool] = False

    def on_the_wire(self) -> dict[str, Any]:
        """Return the message as a dict that can be written as JSON."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def volatile_events() -> frozenset[str]:
    """Return the event names of all message classes with `is_volatile`.

    A volatile message is useless when it arrives late, such as a typing indicator. Import the classes before the call.
    """
    found: set[str] = set()
    waiting = Message.__subclasses__()
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if model.is_volatile:
            found.add(model.event)
    return frozenset(found)


class Sender(BaseModel):
    """The user id and role of a message's sender. Both come from the verified token."""

    id: str
    role: Role


class ChatMessage(Message):
    model_config = _one_of("to", "room")
    event = CHAT_MESSAGE

    id: str
    sender: Annotated[Sender, Field(alias="from")]
    to: str | None = None
    room: str | None = None
    text: str
    at: int


class TrackingPosition(Message):
    event = TRACKING_POSITION

    driver: str
    lat: float
    lng: float
    heading: float | None = None
    speed: float | None = None
    at: int


class DriverStatusChanged(Message):
    event = DRIVER_STATUS_CHANGED

    driver: str
    status: Status
    at: int


class SystemAnnouncement(Message):
    event = SYSTEM_ANNOUNCEMENT

    id: str
    sender: Annotated[Sender, Field(alias="from")]
    text: str
    level: Level
    at: int


class CpuSeconds(BaseModel):
    cpu_seconds: float


class ReportError(BaseModel):
    code: str
    message: str


class ReportReady(Message):
    model_config = _one_of("result", "error")
    event = REPORT_READY

    job: str
    kind: ReportKind
    result: CpuSeconds | None = None
    error: ReportError | None = None


class AuthExpiring(Message):
    event = AUTH_EXPIRING

    expires_in: float


class ServerClosing(Message):
    event = SERVER_CLOSING

    retry_in: float


class SessionEvicted(Message):
    event = SESSION_EVICTED

    limit: int
