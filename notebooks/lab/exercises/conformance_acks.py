"""Checks that learners' servers send the right acks.

An ack must have complete and valid data. A client that repeats a message must get the first ack again.
"""

import secrets
import time
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from good_server import events
from good_server.events import Answer
from lab.clients.tab import Tab
from lab.exercises.conformance_stage import ANA, BEN, Finding, Stage

# the data of each event's ack
ANSWERS: Mapping[str, type[Answer]] = {
    events.CHAT_SEND: events.Sent,
    events.TRACKING_UPDATE: events.Noted,
    events.SYSTEM_ANNOUNCE: events.Sent,
    events.ROOM_JOIN: events.RoomChanged,
    events.ROOM_LEAVE: events.RoomChanged,
}
# far longer than a check takes, and far shorter than the wrong unit or the wrong clock makes it
CLOCK_SECONDS = 600.0


async def accepted_in_full(stage: Stage, tab: Tab, event: str, payload: Any) -> dict[str, Any]:
    """Send an event from a simulated browser tab; return its ack's data.

    Raises `Finding` (a failed check) when the server refuses the event, or when the data of the ack is not complete and
    valid.
    """
    data = await stage.accepted(tab, event, payload)
    model = ANSWERS[event]
    try:
        # more than the contract names is allowed
        model.model_validate({name: data[name] for name in model.model_fields if name in data})
    except ValidationError as error:
        field = error.errors()[0]["loc"][0]
        raise Finding(f"the ack of {event} has no valid `{field}`, but is {data}") from None
    at = data.get("at")
    if at is not None and abs(at / 1000 - time.time()) > CLOCK_SECONDS:
        raise Finding(f"the ack of {event} has `at` {at}, which is not the time in milliseconds since 1970")
    return data


async def deliver_an_id_once(stage: Stage) -> None:
    """Check that a repeated message is delivered once, with equal acks.

    A client repeats a message when it got no ack. The repeated message has the same message id, and comes from the same
    tab or from a new tab. The server must return the same ack again.
    """
    first, second = stage.of(ANA)
    for target in ({"to": BEN.user}, {"room": ANA.rooms[0]}):
        text = secrets.token_hex(4)
        payload = {**target, "text": text, "id": secrets.token_hex(4)}
        acks = [await accepted_in_full(stage, tab, events.CHAT_SEND, payload) for tab in (first, first, second)]
        what = "a message that ana sent three times with one id"
        await stage.expect(events.CHAT_MESSAGE, {"text": text}, [*stage.of(BEN), second], what, sender=first)
        if any(ack != acks[0] for ack in acks):
            raise Finding("ana repeated a message with the same id, and got another ack than the first time")
