"""HTTP routes for back ends: `POST /publish`, `/rooms` and `/disconnect`.

With these routes, a back end sends an event to rooms, moves a user between rooms, or disconnects a user. The routes are
on the internal port, which is separate from the port of the clients. With one process they need no Redis. With several
processes, Redis carries each command to all processes.
"""

import asyncio
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, NoReturn

from aiohttp import hdrs, web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from .errors import Busy, Invalid, Refusal, Unauthorized, UnknownEvent
from .gateway import Gateway, Membership
from .observability import log
from .orders import (
    MOST_BYTES,
    MOST_DENY_SECONDS,
    Topics,
    checked_message,
    checked_target,
    disconnect_order,
    move_order,
    read_message,
)
from .roles import UserId

# a message, its target, and the escapes of JSON
MOST_BODY_BYTES = 2 * MOST_BYTES
# a back end sends a small body at once
BODY_SECONDS = 5.0
BEARER = re.compile(r"Bearer +(\S+) *", re.IGNORECASE)

Act = Callable[[Any], Awaitable[None]]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class PublishBody(_Body):
    event: Annotated[str, Field(min_length=1, max_length=128)]
    data: dict[str, Any]
    to: Annotated[list[str], AfterValidator(checked_target)]


class RoomsBody(_Body):
    user: UserId
    join: Topics = Field(default_factory=list)
    leave: Topics = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_an_order(self) -> "RoomsBody":
        move_order(self.user, self.join, self.leave)
        return self


class DisconnectBody(_Body):
    user: UserId
    deny_seconds: Annotated[float, Field(ge=0, le=MOST_DENY_SECONDS)] | None = None


class _HttpRefusal(Exception):
    """Raised to refuse a back end's request. `status` is the HTTP status, and `refusal` is the error in the answer."""

    def __init__(self, status: int, refusal: Refusal) -> None:
        super().__init__(status)
        self.status, self.refusal = status, refusal


def publish_routes(token: SecretStr, gateway: Gateway, membership: Membership) -> list[web.RouteDef]:
    """Return the HTTP routes for back ends. Each request needs the bearer token `token`.

    `gateway` is the Socket.IO namespace in which `/publish` sends its messages. `membership` moves users between rooms,
    and disconnects users.
    """
    guards = gateway.guards

    async def publish(body: PublishBody) -> None:
        try:
            message = read_message(body.event, body.data)
        except (Invalid, UnknownEvent) as refusal:
            raise _HttpRefusal(422, refusal) from None
        try:
            checked_message(message)
        except ValueError as error:
            raise _HttpRefusal(422, Invalid(str(error), field="data")) from None
        # nothing is sent if some would miss it: the back end may then send it again
        check_reach("nothing was sent")
        await gateway.send(message.event, message, to=body.to)

    async def move(body: RoomsBody) -> None:
        await membership.move(move_order(body.user, body.join, body.leave))
        check_reach("only users of this process were moved")

    async def disconnect(body: DisconnectBody) -> None:
        await membership.disconnect(disconnect_order(body.user, body.deny_seconds, guards.clock()))
        check_reach("only users of this process were disconnected")

    def check_reach(consequence: str) -> None:
        if not guards.cluster.reaches_all:
            raise _HttpRefusal(503, Busy(f"Redis is away, and {consequence}; try again later"))

    def handler(model: type[_Body], act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                _check_token(request, token)
                await act(_parsed(model, await _read(request)))
            except _HttpRefusal as refused:
                reason = refused.refusal.reason or refused.refusal.code
                guards.metrics.refusals.labels(request.path[1:], reason).inc()
                log.info("refused", where=request.path[1:], status=refused.status, reason=reason)
                return _refused(refused)
            return web.json_response({"ok": True, "data": {}})

        return handle

    actions: Sequence[tuple[str, type[_Body], Act]] = (
        ("/publish", PublishBody, publish),
        ("/rooms", RoomsBody, move),
        ("/disconnect", DisconnectBody, disconnect),
    )
    return [web.post(path, handler(model, act)) for path, model, act in actions]


def _check_token(request: web.Request, token: SecretStr) -> None:
    sent = request.headers.getall(hdrs.AUTHORIZATION, [])
    found = BEARER.fullmatch(sent[0]) if len(sent) == 1 else None
    given = found[1] if found else ""
    # in constant time, so that the time of the answer tells nothing about the token
    if not hmac.compare_digest(given.encode("utf-8", "replace"), token.get_secret_value().encode()):
        raise _HttpRefusal(401, Unauthorized("the publish token is missing or wrong", reason="publish_token"))


async def _read(request: web.Request) -> Any:
    """Return the body of a request, parsed as JSON. Raises `_HttpRefusal` if that is not possible."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        _refuse(413, f"a body must have at most {MOST_BODY_BYTES} bytes")
    except TimeoutError:
        _refuse(408, "the body did not arrive in time")
    except web.RequestPayloadError:
        _refuse(400, "the body cannot be decoded")
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        _refuse(400, "the body must be JSON in UTF-8")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse(status: int, text: str) -> NoReturn:
    raise _HttpRefusal(status, Invalid(text)) from None


def _parsed(model: type[_Body], body: Any) -> Any:
    """Return a request's body as an object of the class `model`.

    Raises `_HttpRefusal` if the body does not fit. The error names the first wrong field, but does not repeat its
    value.
    """
    if not isinstance(body, dict):
        raise _HttpRefusal(422, Invalid("the body must be a JSON object"))
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    name = str(first["loc"][0]) if first["loc"] else None
    if name is not None and name not in model.model_fields:
        # an unknown key is input, too
        known = ", ".join(model.model_fields)
        raise _HttpRefusal(422, Invalid(f"the body has an unknown key; its keys are {known}"))
    raise _HttpRefusal(422, Invalid(first["msg"].removeprefix("Value error, "), field=name))


def _refused(refused: _HttpRefusal) -> web.Response:
    body = {"ok": False, "error": refused.refusal.as_error()}
    response = web.json_response(body, status=refused.status)
    if refused.status == 401:
        response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    if refused.status in (401, 408, 413):
        # what was not read must not be taken for the next request
        response.force_close()
    return response
