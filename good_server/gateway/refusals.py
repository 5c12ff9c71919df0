"""Answers for how a no is said: to a whole connection, to a namespace, to a payload."""

import asyncio
from collections.abc import Sequence
from typing import Any, NoReturn

import socketio
from pydantic import BaseModel, ValidationError
from socketio.exceptions import ConnectionRefusedError

from .. import transport
from ..errors import Invalid, Refusal, UnknownNamespace
from ..gateway.route import Guards
from ..observability import Metrics, log

# long enough for a refusal to be written, short enough that nobody can do anything meanwhile
REFUSAL_SENT_SECONDS = 0.2


def refuse(environ: dict[str, Any], refusal: Refusal, metrics: Metrics) -> NoReturn:
    """Ends a connect with CONNECT_ERROR, then closes the transport, which would stay open for another try."""
    metrics.connects.labels(refusal.code).inc()
    log.info("refused", code=refusal.code)
    # the library sends the refusal after this has returned
    asyncio.get_running_loop().call_later(REFUSAL_SENT_SECONDS, transport.close_transport, environ)
    raise ConnectionRefusedError(str(refusal), refusal.as_error())


class NoSuchNamespace(socketio.AsyncNamespace):  # type: ignore[misc]  # the library ships no types
    """Refuses every namespace that is not served, with the code that says so."""

    def __init__(self, guards: Guards) -> None:
        super().__init__("*")
        self._guards = guards

    async def trigger_event(self, event: Any, *args: Any) -> None:
        """Only connects get here, as nobody is ever let in."""
        if event != "connect":
            return
        environ = next(argument for argument in args if isinstance(argument, dict))
        refuse(environ, UnknownNamespace(), self._guards.metrics)


def read_payload(model: type[BaseModel], arguments: Sequence[Any]) -> Any:
    """An event's one object as `model`; raises `Invalid` with the field, and never repeats the input."""
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise Invalid("this event takes one object")
    try:
        return model.model_validate(arguments[0])
    except ValidationError as error:
        raise _invalid(error, model) from None


def _invalid(error: ValidationError, model: type[BaseModel]) -> Invalid:
    """Names the field and what is wrong with it. A key that the model does not know is input, and is not repeated."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    name = str(first["loc"][0]) if first["loc"] else None
    if name is not None and name not in model.model_fields:
        return Invalid("there is a key that this event does not take")
    return Invalid(str(first["msg"]).removeprefix("Value error, "), field=name)
