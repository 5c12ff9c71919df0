"""Answers for the contract as other languages read it: an AsyncAPI 3.0 document, and types for socket.io-client.

Both are made from what the server runs on: its routes, the models of `events`, the codes of `errors`.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from .. import errors, events
from ..gateway import Route

# raised when what is on the wire changes: the second number for more, the first for other
VERSION = "1.0.0"
ANSWERS: dict[str, type[events.Answer]] = {
    events.CHAT_SEND: events.Sent,
    events.TRACKING_UPDATE: events.Noted,
    events.DRIVER_STATUS: events.Noted,
    events.SYSTEM_ANNOUNCE: events.Sent,
    events.ROOM_JOIN: events.RoomChanged,
    events.ROOM_LEAVE: events.RoomChanged,
    events.REPORT_REQUEST: events.ReportTaken,
    events.AUTH_REFRESH: events.SessionExtended,
}
MESSAGES: dict[str, type[events.Message]] = {
    events.CHAT_MESSAGE: events.ChatMessage,
    events.TRACKING_POSITION: events.TrackingPosition,
    events.DRIVER_STATUS_CHANGED: events.DriverStatusChanged,
    events.SYSTEM_ANNOUNCEMENT: events.SystemAnnouncement,
    events.REPORT_READY: events.ReportReady,
    events.AUTH_EXPIRING: events.AuthExpiring,
    events.SERVER_CLOSING: events.ServerClosing,
}
# what a connection may be refused with; all but the last may also be an event's ack
AT_CONNECT = (errors.Unauthorized, errors.TokenExpired, errors.Internal, errors.UnknownNamespace)
SCHEMAS = "#/components/schemas/"
INTRODUCTION = """Socket.IO protocol 5 over WebSocket, path `/socket.io/`; CONNECT carries the Handshake. A refused \
connection is CONNECT_ERROR with a ConnectRefusal. Each event is one object; each ack is one object, too."""


class WireSchema(GenerateJsonSchema):
    """Schemas of what is on the wire: an absent optional field is left out, not null."""

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schemas(routes: Iterable[Route]) -> dict[str, Any]:
    """Every schema of the contract by its name, as JSON Schema."""
    models: list[type[BaseModel]] = [route.payload for route in routes]
    models += [*ANSWERS.values(), *MESSAGES.values()]
    # aliases are what is on the wire; each model once
    wanted = [(model, "validation") for model in dict.fromkeys(models)]
    _, found = models_json_schema(wanted, ref_template=SCHEMAS + "{model}", schema_generator=WireSchema)  # type: ignore[arg-type]
    at_connect = {refusal.code for refusal in AT_CONNECT}
    defined: dict[str, Any] = found["$defs"]
    return defined | {
        "Handshake": _object({"token": {"type": "string"}}),
        "Refusal": _refusal(codes() - {errors.UnknownNamespace.code}),
        "ConnectRefusal": _object({"message": {"type": "string"}, "data": _refusal(at_connect)}),
    }


def codes() -> set[str]:
    """Every code that a refusal may have."""
    found, waiting = set(), errors.Refusal.__subclasses__()
    while waiting:
        refusal = waiting.pop()
        found.add(refusal.code)
        waiting += refusal.__subclasses__()
    return found


def _object(properties: dict[str, Any], *, optional: Sequence[str] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _refusal(allowed: set[str]) -> dict[str, Any]:
    text = {"type": "string"}
    fields = {"code": {"type": "string", "enum": sorted(allowed)}, "message": text, "field": text}
    fields |= {"retry_after": {"type": "number", "description": "seconds"}, "id": text}
    return _object(fields, optional=("field", "retry_after", "id"))


def _ref(name: str) -> dict[str, str]:
    return {"$ref": SCHEMAS + name}


def _ack(answer: type[BaseModel]) -> dict[str, Any]:
    yes = _object({"ok": {"const": True}, "data": _ref(answer.__name__)})
    return {"oneOf": [yes, _object({"ok": {"const": False}, "error": _ref("Refusal")})]}


def asyncapi(routes: Sequence[Route]) -> str:
    """The AsyncAPI 3.0 document in JSON. Actions are the server's: it receives what clients send."""
    messages: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for route in routes:
        key = _key(route.event)
        messages[key] = {"name": route.event, "payload": _ref(route.payload.__name__)}
        messages[f"{key}.ack"] = {"name": f"ack of {route.event}", "payload": _ack(ANSWERS[route.event])}
        operations[key] = _operation("receive", key) | _guards(route)
        operations[key]["reply"] = {"channel": CHANNEL, "messages": [_message(f"{key}.ack")]}
    for event, model in MESSAGES.items():
        messages[_key(event)] = {"name": event, "payload": _ref(model.__name__)}
        operations[_key(event)] = _operation("send", _key(event))
    in_channel = {key: {"$ref": f"#/components/messages/{key}"} for key in messages}
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Dispatch platform", "version": VERSION, "description": INTRODUCTION},
        "defaultContentType": "application/json",
        "channels": {"root": {"address": "/", "title": "the namespace", "messages": in_channel}},
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas(routes)},
    }
    return json.dumps(document, indent=2)


CHANNEL = {"$ref": "#/channels/root"}


def _key(event: str) -> str:
    """An event's name as a key: AsyncAPI takes no colons there."""
    return event.replace(":", ".")


def _message(key: str) -> dict[str, str]:
    return {"$ref": f"#/channels/root/messages/{key}"}


def _operation(action: str, key: str) -> dict[str, Any]:
    return {"action": action, "channel": CHANNEL, "messages": [_message(key)]}


def _guards(route: Route) -> dict[str, Any]:
    """What the route asks of a sender; rates are named as in the settings."""
    rates = ["events", *([route.rate] if route.rate else [])]
    return {
        "x-roles": sorted(route.roles),
        "x-rates": [f"{rate}_per_second" for rate in rates],
        "x-served-after-expiry": route.after_expiry,
    }


def typescript(routes: Sequence[Route]) -> str:
    """A TypeScript module with `ServerToClientEvents`, `ClientToServerEvents` and every type they name."""
    types = [f"export type {name} = {_type(schema)};" for name, schema in sorted(schemas(routes).items())]
    types += ["export type Ack<Data> = { ok: true; data: Data } | { ok: false; error: Refusal };"]
    asked = {
        route.event: f"(payload: {route.payload.__name__}, ack: (answer: Ack<{ANSWERS[route.event].__name__}>) => void)"
        for route in routes
    }
    told = {event: f"(message: {model.__name__})" for event, model in MESSAGES.items()}
    opening = "// Made by `python -m good_server contract --typescript`, from the server itself: change it there."
    return "\n".join([opening, *types, _events("ClientToServerEvents", asked), _events("ServerToClientEvents", told)])


def _events(name: str, signatures: dict[str, str]) -> str:
    lines = [f"  {json.dumps(event)}: {signature} => void;" for event, signature in signatures.items()]
    return "\n".join([f"export interface {name} {{", *lines, "}"])


def _type(schema: dict[str, Any]) -> str:
    """A schema as a type. Bounds of numbers and texts have no counterpart there: the server judges them."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(SCHEMAS)
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if schema["type"] == "array":
        return f"Array<{_type(schema['items'])}>"
    if schema["type"] == "object":
        return " | ".join(_shape(schema, absent) for absent in _absences(schema))
    return {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}[schema["type"]]


def _absences(schema: dict[str, Any]) -> list[set[str]]:
    """For each choice of an object of which exactly one field is there: the fields that are not."""
    choices = [choice["required"][0] for choice in schema.get("oneOf", ())]
    return [set(choices) - {chosen} for chosen in choices] or [set()]


def _shape(schema: dict[str, Any], absent: set[str]) -> str:
    required = set(schema["required"]) | {choice["required"][0] for choice in schema.get("oneOf", ())}
    fields = []
    for name, field in schema["properties"].items():
        mark = "" if name in required - absent else "?"
        fields.append(f"{name}{mark}: {'never' if name in absent else _type(field)}")
    return "{ " + "; ".join(fields) + " }"
