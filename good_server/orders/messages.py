"""Checks of the messages that a back end publishes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import orjson
from pydantic import ValidationError

from ..errors import Invalid, UnknownEvent
from ..events import RESERVED, Message
from .targets import checked_target

# the method of these messages on the channel
EMIT = "emit"
# a back end publishes to the product's namespace, which is the default of every client
NAMESPACE = "/"
# a quarter of a client's send queue; a larger message would disconnect slow clients
MOST_BYTES = 256 * 1024


def emit_order(message: Message, to: Sequence[str], sender: str) -> dict[str, Any]:
    """Return the command that makes the server processes emit a message.

    The command has the form that python-socketio's `RedisManager` writes. `to` are the rooms, and `sender` is an id of
    the publisher. Raises `ValueError` with one line if the message is not valid, or if `to` is empty or has an unknown
    room.
    """
    data = checked_message(message)
    return {
        "method": EMIT,
        "event": message.event,
        "data": [data],
        "binary": False,
        "namespace": NAMESPACE,
        "room": checked_target(to),
        "skip_sid": None,
        "callback": None,
        "host_id": sender,
    }


def checked_message(message: Message) -> dict[str, Any]:
    """Return a message as a dict for JSON. Raises `ValueError` with one line if it is no valid message.

    The message is validated again, as `model_construct` and `model_copy` of pydantic do not validate.
    """
    if not isinstance(message, Message):
        raise ValueError("message must be an object of a class of events.py")
    event = getattr(message, "event", None)
    if not isinstance(event, str) or event in RESERVED | {""}:
        raise ValueError("the class of the message must name its event")
    kind = type(message)
    try:
        kind.model_validate(dict(message), by_name=True)
    except ValidationError as error:
        raise ValueError(f"{event}: {_place(error)}{_first(error)}") from None
    wire = message.on_the_wire()
    _check_one_of(kind, wire)
    encoded(wire)
    _check_finite(message.model_dump())
    return wire


def _check_finite(data: Mapping[str, Any]) -> None:
    """Raise `ValueError` if `data` holds NaN or an infinity. pydantic and orjson would write null."""
    try:
        json.dumps(data, allow_nan=False, default=str, skipkeys=True)
    except ValueError:
        raise ValueError("a message must hold finite numbers only") from None


def encoded(order: Mapping[str, Any]) -> bytes:
    """Return an order (a command of a back end) as JSON.

    Raises `ValueError` with one line if the order cannot be written as JSON, or has more than `MOST_BYTES` bytes.
    """
    try:
        text = orjson.dumps(order)
    except TypeError:
        raise ValueError("a message must be valid text, numbers up to 64 bits, lists and objects") from None
    if len(text) > MOST_BYTES:
        raise ValueError(f"a message must have at most {MOST_BYTES} bytes")
    return text


def message_classes() -> dict[str, type[Message]]:
    """Return all imported message classes, by the names of their events."""
    return {kind.event: kind for kind in _below(Message) if isinstance(getattr(kind, "event", None), str)}


def _below(kind: type[Message]) -> Iterator[type[Message]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def read_message(event: str, data: Mapping[str, Any]) -> Message:
    """Return the message that an event and its JSON data describe.

    `event` is the name of the event. Raises `UnknownEvent`, which names the most similar event, or `Invalid`, which
    names the wrong field.
    """
    known = message_classes()
    if event not in known:
        nearest = max(sorted(known), key=lambda name: SequenceMatcher(None, event, name).ratio())
        raise UnknownEvent(f"the server sends no such event; the nearest is {nearest}", field="event")
    kind = known[event]
    extra = kind.model_config.get("extra", "forbid")
    try:
        text = encoded(data)
        _check_finite(data)
        message = kind.model_validate_json(text, strict=True, extra=extra, by_alias=True, by_name=False)
        _check_one_of(kind, data)
        return message
    except ValidationError as error:
        raise Invalid(_first(error), field=f"data.{_place(error)}".rstrip(".: ")) from None
    except ValueError as error:
        raise Invalid(str(error), field="data") from None


def _check_one_of(kind: type[Message], data: Mapping[str, Any]) -> None:
    """Raise `ValueError` if `data` breaks the `oneOf` of its JSON Schema.

    The JSON Schema of the class `kind` may list alternatives under `oneOf`, each with required keys. `data` must have
    the keys of exactly one alternative.
    """
    schema = kind.model_config.get("json_schema_extra")
    choices: Any = schema.get("oneOf", []) if isinstance(schema, dict) else []
    if choices and sum(all(name in data for name in choice["required"]) for choice in choices) != 1:
        names = " and ".join(name for choice in choices for name in choice["required"])
        raise ValueError(f"exactly one of {names} is required")


def _place(error: ValidationError) -> str:
    """Return a prefix for an error text: the first wrong field. An example is `from.id: `."""
    place = error.errors(include_input=False, include_url=False, include_context=False)[0]["loc"]
    return f"{'.'.join(map(str, place))}: " if place else ""


def _first(error: ValidationError) -> str:
    """Return pydantic's text about the first mistake, without the wrong value."""
    text = error.errors(include_input=False, include_url=False, include_context=False)[0]["msg"]
    return text.removeprefix("Value error, ")
