"""Refusals: of a connection, of a namespace, of a payload."""

import asyncio
from collections.abc import Sequence
from typing import Any, NoReturn

import socketio
from pydantic import BaseModel, ValidationError
from socketio.exceptions import ConnectionRefusedError

from ..admission import close_transport
from ..errors import Invalid, Refusal, UnknownNamespace
from ..observability import Metrics, log
from .route import Guards

# long enough to send the refusal, too short for the client to do anything meanwhile
REFUSAL_SENT_SECONDS = 0.2


def refuse(environ: dict[str, Any], refusal: Refusal, metrics: Metrics) -> NoReturn:
    """Refuse a connect with CONNECT_ERROR, then close the transport. An open transport would allow another try."""
    metrics.connects.labels(refusal.code).inc()
    log.info("refused", code=refusal.code)
    # the library sends the refusal after this function has raised
    asyncio.get_running_loop().call_later(REFUSAL_SENT_SECONDS, close_transport, environ)
    raise ConnectionRefusedError(str(refusal), refusal.as_error())


class NoSuchNamespace(socketio.AsyncNamespace):  # type: ignore[misc]  # the library ships no types
    """Refuses a connect to any namespace that is not served."""

    def __init__(self, guards: Guards) -> None:
        super().__init__("*")
        self._guards = guards

    async def trigger_event(self, event: Any, *args: Any) -> None:
        """Refuse the connect; nothing else gets here, as no socket is accepted."""
        if event != "connect":
            return
        environ = next(argument for argument in args if isinstance(argument, dict))
        refuse(environ, UnknownNamespace(), self._guards.metrics)


def read_payload(model: type[BaseModel], arguments: Sequence[Any]) -> Any:
    """Return the one object of an event as `model`.

    Raises `Invalid` with the field; the message never echoes the input.
    """
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise Invalid("this event takes one object")
    try:
        return model.model_validate(arguments[0])
    except ValidationError as error:
        raise _invalid(error, model) from None


def _invalid(error: ValidationError, model: type[BaseModel]) -> Invalid:
    """Return the refusal that names the wrong field. A key that the model does not know is input, and is not echoed."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    name = str(first["loc"][0]) if first["loc"] else None
    if name is not None and name not in model.model_fields:
        return Invalid("there is a key that this event does not take")
    return Invalid(str(first["msg"]).removeprefix("Value error, "), field=name)
