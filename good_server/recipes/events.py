"""The events of the optional chat features: their names and payloads.

A payload about a conversation has one of two fields: `to` (the other user) or `room` (a topic room, such as `job:17`).
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ..events import Answer, Message, MessageId, Payload, RoomName, Sender, Text
from ..roles import UserId

HISTORY_SEND = "history:send"
HISTORY_AFTER = "history:after"
HISTORY_READ = "history:read"
HISTORY_UNREAD = "history:unread"
TYPING_SET = "typing:set"
PRESENCE_WATCH = "presence:watch"

HISTORY_MESSAGE = "history:message"
HISTORY_SEEN = "history:seen"
TYPING_CHANGED = "typing:changed"
PRESENCE_CHANGED = "presence:changed"

MOST_IN_A_PAGE = 100
# presence of more users at once is a list to scroll through, and the client watches its visible part
MOST_WATCHED = 100
# JSON numbers above this lose digits in JavaScript
MOST_SEQ = 2**53 - 1

Seq = Annotated[int, Field(ge=0, le=MOST_SEQ)]
_ONE_TARGET: Any = {"oneOf": [{"required": ["to"]}, {"required": ["room"]}]}


class InConversation(Payload):
    """Base class for payloads about one conversation.

    Exactly one of `to` (the other user) and `room` (a topic room, such as `job:17`) is set.
    """

    model_config = ConfigDict(json_schema_extra=_ONE_TARGET)

    to: UserId | None = None
    room: RoomName | None = None

    @model_validator(mode="after")
    def _has_one_target(self) -> "InConversation":
        if (self.to is None) == (self.room is None):
            raise ValueError("exactly one of to and room is required")
        return self


class HistorySend(InConversation):
    # required, unlike in `chat:send`: without it, a repeated message would be stored twice
    id: MessageId
    text: Annotated[Text, StringConstraints(max_length=4000)]


class HistoryAfter(InConversation):
    after: Seq
    limit: Annotated[int, Field(ge=1, le=MOST_IN_A_PAGE)] = MOST_IN_A_PAGE


class HistoryRead(InConversation):
    seq: Seq


class HistoryUnread(Payload):
    pass


class TypingSet(InConversation):
    active: bool


class PresenceWatch(Payload):
    users: Annotated[list[UserId], Field(max_length=MOST_WATCHED)]


class Stored(Answer):
    seq: int
    at: int


class Entry(BaseModel):
    """One stored message of a conversation.

    `seq` is the number of the message in its conversation. The first message has the number 1, and no number is
    missing.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, json_schema_extra=_ONE_TARGET)

    seq: int
    sender: Annotated[Sender, Field(alias="from")]
    to: str | None = None
    room: str | None = None
    text: str
    at: int


class Page(Answer):
    messages: list[Entry]
    more: bool


class ReadUpTo(Answer):
    seq: int


class Unread(BaseModel):
    """How many messages of one conversation a user has not read.

    `unread` is this count. `read` is the number of the last message that the user has read, and `last` is the number of
    the newest message. The conversation is with the user `to`, or in the topic room `room`, such as `job:17`.
    """

    model_config = ConfigDict(json_schema_extra=_ONE_TARGET)

    to: str | None = None
    room: str | None = None
    unread: int
    read: int
    last: int


class UnreadCounts(Answer):
    conversations: list[Unread]


class TypingNoted(Answer):
    sent: bool


class UserPresence(BaseModel):
    user: str
    online: bool
    last_seen: int | None = None


class Watched(Answer):
    users: list[UserPresence]
    at: int


class HistoryMessage(Entry, Message):
    event = HISTORY_MESSAGE


class HistorySeen(Message):
    model_config = ConfigDict(json_schema_extra=_ONE_TARGET)
    event = HISTORY_SEEN

    user: str
    to: str | None = None
    room: str | None = None
    seq: int


class TypingChanged(Message):
    model_config = ConfigDict(json_schema_extra=_ONE_TARGET)
    event = TYPING_CHANGED
    is_volatile = True

    user: str
    to: str | None = None
    room: str | None = None
    active: bool
    expires_in: float


class PresenceChanged(Message):
    event = PRESENCE_CHANGED

    user: str
    online: bool
    last_seen: int | None = None
    at: int
