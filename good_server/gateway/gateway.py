"""Answers for the door itself: `trigger_event` is the library's documented place for guards around all events.

Connecting fails closed: the library takes anything but an explicit no for a yes, so everything that goes wrong here
becomes an explicit no.
"""

import asyncio
import math
import time
import uuid
from collections.abc import Awaitable, Sequence
from typing import Any

import socketio

from .. import events, rooms, transport
from ..errors import (
    Forbidden,
    Internal,
    Invalid,
    RateLimited,
    Refusal,
    TimedOut,
    TokenExpired,
    Unauthorized,
    UnknownEvent,
)
from ..gateway.refusals import read_payload, refuse
from ..gateway.route import Guards, Request, Route, SocketState
from ..limits import within
from ..observability import log
from ..packets import MALFORMED, RESERVED_NAME
from ..roles import Identity

# the key of a socket's state in its Socket.IO session
STATE = "state"


class Gateway(socketio.AsyncNamespace):  # type: ignore[misc]  # the library ships no types
    """A namespace with guards. `joined`, `left`, `routes`, `check_rate` and `read` are its seams."""

    def __init__(self, namespace: str, guards: Guards, routes: Sequence[Route] = ()) -> None:
        super().__init__(namespace)
        self.guards = guards
        self._given_routes = tuple(routes)
        self._by_event: dict[str, Route] | None = None

    def routes(self) -> Sequence[Route]:
        """The events served here."""
        return self._given_routes

    async def joined(self, request: Request) -> None:
        """A socket has been let in; it is put into its rooms before it learns so."""
        for room in rooms.rooms_at_connect(request.identity):
            await request.join(room)

    async def left(self, request: Request) -> None:
        """A socket is gone. Nothing to do: Socket.IO empties its rooms, and its state dies with its session."""

    async def check_rate(self, identity: Identity, route: Route | None) -> None:
        """Counts one event; raises `RateLimited` when it is one too many."""
        for kind in ("events",) if route is None or route.rate is None else ("events", route.rate):
            wait_seconds = await self.guards.rates.wait_seconds(identity.user, kind)
            if wait_seconds:
                # never 0: whoever comes back at once would be refused again
                raise RateLimited(retry_after=math.ceil(wait_seconds * 1000) / 1000)

    def read(self, route: Route, arguments: Sequence[Any]) -> Any:
        """The payload as the route's model; raises `Invalid`."""
        return read_payload(route.payload, arguments)

    async def send(self, event: str, message: events.Message, *, to: Sequence[str], skip: str | None = None) -> None:
        """The one way out: an empty target would mean everyone, those not yet authenticated included."""
        if isinstance(to, str) or not to or not all(to):
            raise ValueError("an emit needs rooms to go to")
        await self.emit(event, message.on_the_wire(), room=list(to), skip_sid=skip)

    async def tell(self, event: str, message: events.Message, sid: str) -> None:
        """What the server itself says to one of its own sockets: no other process need hear of it."""
        if not sid:
            raise ValueError("an emit needs a socket to go to")
        await self.emit(event, message.on_the_wire(), room=[sid], ignore_queue=True)

    def sids_in(self, room: str) -> list[str]:
        """The sockets that are in a room now, asked of Socket.IO."""
        return [sid for sid, _ in self.server.manager.get_participants(self.namespace, room)]

    async def state_of(self, sid: str) -> SocketState:
        """A socket's state; raises `KeyError` when the socket is gone."""
        state: SocketState = (await self.get_session(sid))[STATE]
        return state

    def close(self, sid: str) -> None:
        """Closes a socket's transport; its rooms are left as after any lost connection."""
        environ = self.server.get_environ(sid, self.namespace)
        if environ is not None:
            transport.close_transport(environ)

    async def trigger_event(self, event: Any, *args: Any) -> Any:
        """Every connect, disconnect and event of this namespace; what is returned is the ack."""
        if event == "connect":
            return await self._connect(*args)
        if event == "disconnect":
            return await self._disconnect(*args)
        return await self._event(event, *args)

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        outcome = await self._outcome("connect", self._let_in(sid, environ, auth))
        if isinstance(outcome, Refusal):
            refuse(environ, outcome, self.guards.metrics)
        self.guards.metrics.connects.labels("accepted").inc()
        log.info("connected", namespace=self.namespace, user=outcome.user, role=outcome.role)

    async def _let_in(self, sid: str, environ: dict[str, Any], auth: Any) -> Identity:
        try:
            identity = await within(self.guards.settings.handshake_seconds, self.guards.auth.identify(auth))
        except (TimeoutError, asyncio.CancelledError):
            # the library would take a cancelled check for a yes
            raise Unauthorized("the token could not be checked in time") from None
        if transport.is_gone(environ):
            raise Unauthorized("the client left during the check")
        await self._make_way(identity)
        # overwritten, never merged: a session outlives a reconnect of the namespace on the same transport
        await self.save_session(sid, {STATE: SocketState(identity, time.monotonic())})
        await self.joined(Request(self, sid, identity))
        self._count(identity.user, len(self._here(identity.user)))
        return identity

    async def _disconnect(self, sid: str, reason: str = "") -> None:
        environ = self.server.get_environ(sid, self.namespace)
        state: SocketState | None = (await self.get_session(sid)).pop(STATE, None)
        if environ is not None:
            # a client may leave the namespace and keep the transport; nothing is served on it any more
            transport.close_transport(environ)
        if state is None:
            return
        # this socket leaves its rooms when all this has been done
        self._count(state.identity.user, len([other for other in self._here(state.identity.user) if other != sid]))
        self.guards.metrics.closes.labels(reason).inc()
        log.info("disconnected", namespace=self.namespace, user=state.identity.user, reason=reason)
        await self._outcome("disconnect", self.left(Request(self, sid, state.identity)))

    async def _event(self, event: Any, sid: str, *arguments: Any) -> dict[str, Any]:
        state = await self.state_of(sid)
        state.last_heard = time.monotonic()
        route = self._route(event)
        name = route.event if route is not None else "unknown"
        began = time.perf_counter()
        outcome = await self._outcome(name, self._serve(route, event, sid, state, arguments))
        refusal = outcome if isinstance(outcome, Refusal) else None
        self.guards.metrics.count_event(name, refusal.code if refusal else "ok", time.perf_counter() - began)
        self._judge(sid, state, event, refusal)
        return {"ok": False, "error": refusal.as_error()} if refusal else {"ok": True, "data": outcome}

    async def _outcome(self, where: str, action: Awaitable[Any]) -> Any:
        """What the action gives, or the `Refusal` it ended in; our own faults go to the log under an id."""
        try:
            return await action
        except Refusal as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - the one place where nothing may pass: no ack would be sent
            internal = Internal(id=uuid.uuid4().hex)
            log.error("failed", where=where, id=internal.id, exc_info=error)
            return internal

    async def _serve(
        self, route: Route | None, event: Any, sid: str, state: SocketState, arguments: Sequence[Any]
    ) -> dict[str, Any]:
        if event in (MALFORMED, RESERVED_NAME):
            raise Invalid("the packet is malformed", field=self._field(*arguments))
        await self.check_rate(state.identity, route)
        if route is None:
            raise UnknownEvent
        if self.guards.clock() >= state.identity.expires_at and not route.after_expiry:
            raise TokenExpired
        if state.identity.role not in route.roles:
            raise Forbidden("this event is not for this role")
        payload = self.read(route, arguments)
        try:
            handling = route.handler(Request(self, sid, state.identity), payload)
            return await within(self.guards.settings.handler_seconds, handling)
        except TimeoutError:
            raise TimedOut from None

    def _route(self, event: Any) -> Route | None:
        if self._by_event is None:
            self._by_event = {route.event: route for route in self.routes()}
        return self._by_event.get(event)

    def _field(self, event: str | None = None, key: str | None = None) -> str | None:
        """The key, if it is one of the event's own: any other is input, and is not repeated."""
        route = self._route(event)
        return key if route is not None and key in route.payload.model_fields else None

    def _judge(self, sid: str, state: SocketState, event: Any, refusal: Refusal | None) -> None:
        """Closes a client that will not slow down, speaks another protocol, or tries to run our own handlers."""
        settings = self.guards.settings
        state.refused_in_a_row = state.refused_in_a_row + 1 if isinstance(refusal, RateLimited) else 0
        state.malformed += event == MALFORMED
        is_hopeless = (
            event == RESERVED_NAME
            or state.malformed >= settings.malformed_frames
            or state.refused_in_a_row >= settings.refusals_in_a_row
        )
        if is_hopeless:
            log.warning("closed", user=state.identity.user, reason=refusal.code if refusal else "ok")
            asyncio.get_running_loop().call_soon(self.close, sid)

    async def _make_way(self, identity: Identity) -> None:
        """One socket too many closes the one silent longest: a phone that flaps is never locked out.

        Of several processes the one with most of the user's sockets chooses among its own.
        """
        user, most = identity.user, self.guards.settings.sockets_per_user
        here = len(self._here(user))
        others = {} if here >= most else await self.guards.elsewhere.counts("user", self._key_of(user))
        if here + sum(others.values()) < most:
            return
        process, count = max(others.items(), key=lambda other: other[1], default=("", 0))
        if count > here:
            self.server.manager.ask_to_make_way(process, self.namespace, user)
        else:
            await self.close_one_of(user)

    async def close_one_of(self, user: str) -> None:
        """Closes the socket of this user here that has been silent longest, if there is one."""
        heard = [((await self.state_of(sid)).last_heard, sid) for sid in self._here(user)]
        if heard:
            self.close(min(heard)[1])

    def _here(self, user: str) -> list[str]:
        """Sockets of this process. One that is closing already makes way for an earlier socket, not for this one."""
        return [sid for sid in self.sids_in(rooms.user_room(user)) if not self._is_closing(sid)]

    def _count(self, user: str, count: int) -> None:
        self.guards.elsewhere.tell("user", self._key_of(user), count)

    def _key_of(self, user: str) -> str:
        return f"{self.namespace}{user}"

    def _is_closing(self, sid: str) -> bool:
        environ = self.server.get_environ(sid, self.namespace)
        return environ is None or transport.is_gone(environ)
