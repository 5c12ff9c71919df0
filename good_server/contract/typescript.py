"""Exports all events and acks as TypeScript types for socket.io-client's `Socket`."""

import json
from collections.abc import Sequence
from typing import Any

from ..gateway import Route
from .schemas import SCHEMAS, messages, schemas

PACKAGE = __name__.partition(".")[0]
OPENING = f"// Made by `python -m {PACKAGE} contract --typescript`, from the server itself: change it there."
PLAIN_TYPES = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}


def typescript(routes: Sequence[Route]) -> str:
    """Return a TypeScript module with the types of all events.

    The module has one event map (an interface with all events) for each direction: client to server, and server to
    client. `routes` are the events that clients can send.
    """
    types = [f"export type {name} = {_type(schema)};" for name, schema in sorted(schemas(routes).items())]
    types += ["export type Ack<Data> = { ok: true; data: Data } | { ok: false; error: Refusal };"]
    sent = {
        route.event: f"(payload: {route.payload.__name__}, ack: (answer: Ack<{route.answer.__name__}>) => void)"
        for route in routes
    }
    received = {model.event: f"(message: {model.__name__})" for model in messages(routes)}
    maps = [_events("ClientToServerEvents", sent), _events("ServerToClientEvents", received)]
    return "\n".join([OPENING, *types, *maps])


def _events(name: str, signatures: dict[str, str]) -> str:
    lines = [f"  {json.dumps(event)}: {signature} => void;" for event, signature in signatures.items()]
    return "\n".join([f"export interface {name} {{", *lines, "}"])


def _type(schema: dict[str, Any]) -> str:
    """Return a JSON Schema as a TypeScript type.

    TypeScript cannot express limits, such as the length of a string; the server checks the limits.
    """
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(SCHEMAS)
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if schema["type"] == "array":
        return f"Array<{_type(schema['items'])}>"
    if schema["type"] == "object":
        return " | ".join(_shape(schema, absent) for absent in _absences(schema))
    return PLAIN_TYPES[schema["type"]]


def _absences(schema: dict[str, Any]) -> list[set[str]]:
    """Return the fields that each variant of an object excludes.

    In the schema, `oneOf` lists the variants. Each variant requires one field, and excludes the fields that the other
    variants require. Without `oneOf` there is one variant, which excludes no fields.
    """
    choices = [choice["required"][0] for choice in schema.get("oneOf", ())]
    return [set(choices) - {chosen} for chosen in choices] or [set()]


def _shape(schema: dict[str, Any], absent: set[str]) -> str:
    required = set(schema.get("required", ())) | {choice["required"][0] for choice in schema.get("oneOf", ())}
    fields = []
    for name, field in schema["properties"].items():
        mark = "" if name in required - absent else "?"
        fields.append(f"{name}{mark}: {'never' if name in absent else _type(field)}")
    return "{ " + "; ".join(fields) + " }"
