"""Exports the contract of all events as an AsyncAPI 3.0 document.

The contract is the names, payloads, acks and errors of the events.
"""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from ..gateway import Route
from ..settings.product import TITLE
from .schemas import messages, object_schema, reference, schemas

# changes with the wire: the second number for additions, the first for anything else
VERSION = "1.0.0"
INTRODUCTION = """Socket.IO protocol 5 over WebSocket, path `/socket.io/`; CONNECT carries the Handshake. A refused \
connection is CONNECT_ERROR with a ConnectRefusal. Each event is one object; each ack is one object, too."""
CHANNEL = {"$ref": "#/channels/root"}


def asyncapi(routes: Sequence[Route]) -> str:
    """Return the AsyncAPI document of all events as a JSON string.

    `routes` are the events that clients can send. The operations in the document have the server's point of view:
    `receive` means that the server receives the event.
    """
    found: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for route in routes:
        key = _key(route.event)
        found[key] = {"name": route.event, "payload": reference(route.payload.__name__)}
        found[f"{key}.ack"] = {"name": f"ack of {route.event}", "payload": _ack(route.answer)}
        operations[key] = _operation("receive", key) | _guards(route)
        operations[key]["reply"] = {"channel": CHANNEL, "messages": [_message(f"{key}.ack")]}
    for model in messages(routes):
        found[_key(model.event)] = {"name": model.event, "payload": reference(model.__name__)}
        operations[_key(model.event)] = _operation("send", _key(model.event))
    in_channel = {key: {"$ref": f"#/components/messages/{key}"} for key in found}
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": TITLE, "version": VERSION, "description": INTRODUCTION},
        "defaultContentType": "application/json",
        "channels": {"root": {"address": "/", "title": "the namespace", "messages": in_channel}},
        "operations": operations,
        "components": {"messages": found, "schemas": schemas(routes)},
    }
    return json.dumps(document, indent=2)


def _ack(answer: type[BaseModel]) -> dict[str, Any]:
    accepted = object_schema({"ok": {"const": True}, "data": reference(answer.__name__)})
    return {"oneOf": [accepted, object_schema({"ok": {"const": False}, "error": reference("Refusal")})]}


def _key(event: str) -> str:
    """Return an event's key: its name with dots instead of colons.

    The key names the event in the AsyncAPI document. AsyncAPI allows no colons in keys.
    """
    return event.replace(":", ".")


def _message(key: str) -> dict[str, str]:
    return {"$ref": f"#/channels/root/messages/{key}"}


def _operation(action: str, key: str) -> dict[str, Any]:
    return {"action": action, "channel": CHANNEL, "messages": [_message(key)]}


def _guards(route: Route) -> dict[str, Any]:
    """Return who may send an event, and how often, as `x-` fields.

    These fields (AsyncAPI extensions) are the allowed roles, the names of the settings that limit the rate (such as
    `events_per_second`), and whether the event is also handled when the token has expired.
    """
    rates = ["events", *([route.rate] if route.rate else [])]
    return {
        "x-roles": sorted(route.roles),
        "x-rates": [f"{rate}_per_second" for rate in rates],
        "x-served-after-expiry": route.after_expiry,
    }
