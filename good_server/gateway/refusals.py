"""Functions that refuse a connection, a namespace or a payload."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import socketio
from pydantic import BaseModel, ValidationError
from socketio.exceptions import ConnectionRefusedError

from ..admission import address_in, close_transport
from ..close_reasons import CloseReason
from ..errors import Invalid, Refusal, TemporarilyUnavailable, UnknownNamespace
from ..observability import Metrics, log
from ..packets import BINARY
from .route import Guards, Route
from .stray_packets import REFUSED

# long enough to send the refusal, too short for the client to do anything meanwhile
REFUSAL_SENT_SECONDS = 0.2


def refuse(environ: dict[str, Any], refusal: Refusal, metrics: Metrics) -> NoReturn:
    """Refuse a connect with CONNECT_ERROR, then close the transport.

    Further packets of the client are ignored. A `TemporarilyUnavailable` refusal closes the transport at once, without
    a CONNECT_ERROR: clients reconnect by themselves after a lost transport, but never after a CONNECT_ERROR. Always
    raises `ConnectionRefusedError`, with which python-socketio refuses the connect.
    """
    metrics.connects.labels(refusal.code).inc()
    environ[REFUSED] = True
    note_refusal("connect", environ, refusal, metrics)
    if isinstance(refusal, TemporarilyUnavailable):
        close_transport(environ, CloseReason.REFUSED)
        raise ConnectionRefusedError
    # the library sends the refusal after this function has raised
    asyncio.get_running_loop().call_later(REFUSAL_SENT_SECONDS, close_transport, environ, CloseReason.REFUSED)
    raise ConnectionRefusedError(str(refusal), refusal.as_error())


def note_refusal(where: str, environ: dict[str, Any] | None, refusal: Refusal, metrics: Metrics) -> None:
    """Log and count a refusal with its reason.

    `where` is `connect` or the name of the event. The reason is never sent to the client.
    """
    reason = refusal.reason or refusal.code
    metrics.refusals.labels(where, reason).inc()
    address = address_in(environ) if environ is not None else None
    log.info("refused", where=where, code=refusal.code, reason=reason, address=address)


class NoSuchNamespace(socketio.AsyncNamespace):  # type: ignore[misc]  # the library ships no types
    """Refuses every connect to an unknown namespace. No socket is accepted, so no other event can arrive."""

    def __init__(self, guards: Guards) -> None:
        super().__init__("*")
        self._guards = guards

    async def trigger_event(self, event: Any, *args: Any) -> None:
        """Refuse a connect to an unknown namespace."""
        if event == "connect":
            environ = next(argument for argument in args if isinstance(argument, dict))
            refuse(environ, UnknownNamespace(), self._guards.metrics)


def malformed_packet(
    problem: tuple[str, ...], routes: Mapping[str, Route], event: str = "", key: str | None = None
) -> Invalid:
    """Return the error that refuses a malformed packet.

    `problem` says what is wrong: a constant of the module `packets`, such as `MALFORMED`. `key` is the payload key
    whose value cannot be read, if this key is known. The error names the key only if `routes` has an entry for `event`,
    and the payload of this event has such a field.
    """
    if problem == BINARY:
        return Invalid("binary data is not taken: send JSON, and bytes as base64 text")
    is_known = event in routes and key in routes[event].payload.model_fields
    return Invalid("the packet is malformed", field=key if is_known else None)


def read_payload(model: type[BaseModel], arguments: Sequence[Any]) -> Any:
    """Return the only argument of an event as an object of `model`.

    Raises `Invalid` if there is not exactly one argument, or if the argument does not match `model`. The error names
    the wrong field if `model` has this field, but never the value.
    """
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise Invalid("this event takes one object")
    try:
        return model.model_validate(arguments[0])
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    name = str(first["loc"][0]) if first["loc"] else None
    # a key that the model does not know is input
    if name is not None and name not in model.model_fields:
        raise Invalid("there is a key that this event does not take")
    raise Invalid(str(first["msg"]).removeprefix("Value error, "), field=name)
