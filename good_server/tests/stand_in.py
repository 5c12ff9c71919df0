"""A product for tests only, with events of its own.

The tests of the core and of the optional parts use this stand-in, so they pass with any product. `demo/` tests the real
one.
"""

import json
import secrets
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from ..app import assemble, create_parts
from ..auth import Claims
from ..errors import Forbidden, Unauthorized
from ..events import ROOM_LEAVE, Answer, Message, Payload
from ..gateway import Gateway, Route
from ..handlers import reports, rooms, session
from ..roles import TOPIC, Role, UserId
from ..rooms import everyone, role_room, topic_room, user_room
from ..services.reports import NoReports
from ..settings.product import RATE_SUFFIX, RATES

NOTE_SEND, NOTE_RECEIVED = "note:send", "note:received"
PIN_SET, PIN_MOVED = "pin:set", "pin:moved"
NOTICE_PUBLISH, NOTICE_PUBLISHED = "notice:publish", "notice:published"


def needs_no_claims(role):
    """Return whether a token of this role needs no further claims."""
    try:
        Claims.model_validate({"sub": "ana", "role": role, "iat": 0, "exp": 1}).identity()
    except (ValidationError, Unauthorized):
        return False
    return True


ROLES = [role for role in Role if needs_no_claims(role)]
# may send every event; may not set pins or publish notices
PRIVILEGED, PLAIN = ROLES[0], ROLES[-1]
# the events of the stand-in have rates of the product, which may have only one
NOTE_RATE, PIN_RATE = RATES[0], RATES[-1]
NOTES_PER_SECOND, PINS_PER_SECOND = NOTE_RATE + RATE_SUFFIX, PIN_RATE + RATE_SUFFIX


def topic(name):
    """Return the full room name of the topic `name`."""
    return f"{TOPIC}:{name}"


# an event that every client may send and that changes nothing, and its text in a frame
LEAVE = (ROOM_LEAVE, {"room": topic("17")})
LEAVE_TEXT = json.dumps(LEAVE)


class NoteSend(Payload):
    to: UserId | None = None
    room: Annotated[str, StringConstraints(min_length=1, max_length=160)] | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\x00]*$")]
    id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _has_one_target(self):
        if (self.to is None) == (self.room is None):
            raise ValueError("exactly one of to and room is required")
        return self


class NoteReceived(Message):
    event = NOTE_RECEIVED

    id: str
    sender: str
    text: str
    at: int


class PinSet(Payload):
    lat: Annotated[float, Field(ge=-90, le=90)]
    lng: Annotated[float, Field(ge=-180, le=180)]
    heading: Annotated[float, Field(ge=0, le=360)] | None = None
    accuracy: Annotated[float, Field(ge=0)] | None = None


class PinMoved(Message):
    event = PIN_MOVED

    by: str
    lat: float
    lng: float


class NoticePublish(Payload):
    # one line
    text: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x1f]*$")]
    level: Literal["info", "warning"] = "info"
    # JSON has no enums, so these strings alone are not strict
    roles: Annotated[list[Annotated[Role, Field(strict=False)]], Field(min_length=1)] | None = None


class NoticePublished(Message):
    event = NOTICE_PUBLISHED

    text: str


class NoteSent(Answer):
    id: str
    at: int


class Done(Answer):
    at: int


async def send_note(request, note):
    """Send the note to its target and the sender's other tabs. The target is a user or a room."""
    target = user_room(note.to) if note.to is not None else topic_room(note.room or "")
    if note.to is None and target not in request.rooms():
        raise Forbidden
    message = NoteReceived(id=secrets.token_hex(16), sender=request.identity.user, text=note.text, at=request.at)
    await request.emit(NOTE_RECEIVED, message, to=(target, user_room(request.identity.user)), also_to_me=False)
    return {"id": message.id, "at": message.at}


async def set_pin(request, pin):
    """Send the position of the pin to clients with the privileged role."""
    message = PinMoved(by=request.identity.user, lat=pin.lat, lng=pin.lng)
    await request.emit(PIN_MOVED, message, to=(role_room(PRIVILEGED),))
    return {"at": request.at}


async def publish_notice(request, notice):
    """Send the notice to all clients, or to the roles it names."""
    to = everyone() if notice.roles is None else tuple(role_room(role) for role in notice.roles)
    await request.emit(NOTICE_PUBLISHED, NoticePublished(text=notice.text), to=to)
    return {"at": request.at}


def create_routes(parts):
    """Return the routes of the stand-in product: its events and handlers."""

    async def send_once(request, note):
        return await parts.recent.once(request.identity.user, note.id, lambda: send_note(request, note))

    privileged = frozenset({PRIVILEGED})
    return (
        Route(NOTE_SEND, NoteSend, send_once, answer=NoteSent, rate=NOTE_RATE),
        Route(PIN_SET, PinSet, set_pin, answer=Done, roles=privileged, rate=PIN_RATE),
        Route(NOTICE_PUBLISH, NoticePublish, publish_notice, answer=Done, roles=privileged),
        *rooms.routes(parts.entitlements, rooms_per_socket=parts.settings.rooms_per_socket),
        *(() if isinstance(parts.reports, NoReports) else reports.routes(parts.reports)),
        *session.routes(parts.guards.auth, parts.entitlements),
    )


def create_app(settings, *, services=(), routes=(), **options):
    """Build the server with the stand-in product. The parameters are those of `app.create_app`."""
    parts = create_parts(settings, **options)
    gateway = Gateway("/", parts.guards, create_routes(parts))
    return assemble(parts, [gateway], services=services, routes=routes)
