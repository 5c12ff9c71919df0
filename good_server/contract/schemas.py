"""JSON Schemas of all data that clients and server exchange.

These are the payloads of events from clients, the data of acks, the messages from the server, and the errors.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from .. import errors, events
from ..gateway import Route

# the refusals of a connect; each but the last may also be the ack of an event
AT_CONNECT = (errors.Unauthorized, errors.TokenExpired, errors.Internal, errors.UnknownNamespace)
SCHEMAS = "#/components/schemas/"


class WireSchema(GenerateJsonSchema):
    """Generates JSON Schemas. An optional field can be absent, but its value is never null."""

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def messages(routes: Iterable[Route] = ()) -> list[type[events.Message]]:
    """Return the classes of all messages that the server sends.

    First come the message classes of the module `events`, in source order. Then come the other message classes that the
    handlers of `routes` send.
    """
    found = [value for value in vars(events).values() if isinstance(value, type)]
    listed = [model for model in found if issubclass(model, events.Message) and model is not events.Message]
    return list(dict.fromkeys([*listed, *(model for route in routes for model in route.sends)]))


def schemas(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the JSON Schemas of all events, acks and errors, by name.

    `routes` are the events that clients can send.
    """
    models: list[type[BaseModel]] = []
    for route in routes:
        models += [route.payload, route.answer]
    # schemas use the aliases, which are the names on the wire; each model occurs once
    wanted = [(model, "validation") for model in dict.fromkeys([*models, *messages(routes)])]
    _, found = models_json_schema(wanted, ref_template=SCHEMAS + "{model}", schema_generator=WireSchema)  # type: ignore[arg-type]
    at_connect = {refusal.code for refusal in AT_CONNECT}
    defined: dict[str, Any] = found["$defs"]
    return defined | {
        "Handshake": object_schema({"token": {"type": "string"}}),
        "Refusal": _refusal(codes() - {errors.UnknownNamespace.code}),
        "ConnectRefusal": object_schema({"message": {"type": "string"}, "data": _refusal(at_connect)}),
    }


def codes() -> set[str]:
    """Return all error codes with which the server refuses requests and connections."""
    found, waiting = set(), errors.Refusal.__subclasses__()
    while waiting:
        refusal = waiting.pop()
        found.add(refusal.code)
        waiting += refusal.__subclasses__()
    return found


def object_schema(properties: dict[str, Any], *, optional: Sequence[str] = ()) -> dict[str, Any]:
    """Return the JSON Schema of an object that has only `properties`.

    `properties` maps the name of each property to its schema. The properties named in `optional` may be absent.
    """
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def reference(name: str) -> dict[str, str]:
    """Return a JSON reference to the schema `name`."""
    return {"$ref": SCHEMAS + name}


def _refusal(allowed: set[str]) -> dict[str, Any]:
    text = {"type": "string"}
    fields = {"code": {"type": "string", "enum": sorted(allowed)}, "message": text, "field": text}
    fields |= {"retry_after": {"type": "number", "description": "seconds"}, "id": text}
    return object_schema(fields, optional=("field", "retry_after", "id"))
