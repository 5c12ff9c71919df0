"""The gateway checks every connect, event and disconnect of a namespace.

An error during a connect becomes a refusal: python-socketio would accept the socket without an explicit refusal.
"""

import asyncio
import math
import time
import uuid
from collections.abc import Awaitable, Sequence
from functools import cached_property
from typing import Any

import socketio

from ..admission import close_transport, end_handshake, is_closing
from ..errors import Forbidden, Internal, RateLimited, Refusal, TimedOut, TokenExpired, Unauthorized, UnknownEvent
from ..events import Message
from ..observability import log
from ..packets import MALFORMED, RESERVED_NAME
from ..roles import Identity
from ..rooms import rooms_at_connect, user_room
from .deadline import with_deadline
from .eviction import SocketCap
from .refusals import malformed_packet, note_refusal, read_payload, refuse
from .request import Actions, Request, SocketState
from .route import Guards, Route
from .session_expiry import SessionExpiry

# the key of a socket's state in its Socket.IO session
STATE = "state"


class Gateway(socketio.AsyncNamespace):  # type: ignore[misc]  # the library ships no types
    """A namespace with checks. Override `joined`, `left`, `routes`, `check_rate` or `read` to change one step."""

    def __init__(self, namespace: str, guards: Guards, routes: Sequence[Route] = ()) -> None:
        super().__init__(namespace)
        self.guards = guards
        self._given_routes = tuple(routes)
        most = guards.settings.sockets_per_user
        self.socket_cap = SocketCap(namespace, guards.cluster, most, self._open_sids, self.state_of, self.close)
        self._expiry = SessionExpiry(guards.settings, guards.clock, self.send_to_socket, self.close)
        self._actions = Actions(
            namespace,
            guards.clock,
            self.send,
            self._rooms_of,
            self.enter_room,
            self.leave_room,
            self.state_of,
            self._expiry.watch,
        )

    def routes(self) -> Sequence[Route]:
        """Return the routes of this namespace, one per event."""
        return self._given_routes

    async def joined(self, request: Request) -> None:
        """Put an accepted socket into its rooms, before the CONNECT reply."""
        for room in rooms_at_connect(request.identity):
            await request.join(room)

    async def left(self, request: Request) -> None:
        """Do nothing after a disconnect. Socket.IO removes the socket from its rooms, and deletes its session."""

    async def check_rate(self, identity: Identity, route: Route | None) -> None:
        """Count one event of the user. Raise `RateLimited` when the user sends too many."""
        for kind in ("events",) if route is None or route.rate is None else ("events", route.rate):
            wait_seconds = await self.guards.rates.wait_seconds(identity.user, kind)
            if wait_seconds:
                # rounded up: 0 would tell the client to retry at once, and to be refused again
                raise RateLimited(retry_after=math.ceil(wait_seconds * 1000) / 1000)

    def read(self, route: Route, arguments: Sequence[Any]) -> Any:
        """Return the payload as the route's model. Raise `Invalid` when the payload does not match it."""
        return read_payload(route.payload, arguments)

    async def send(self, event: str, message: Message, *, to: Sequence[str], skip: str | None = None) -> None:
        """Send a message to rooms, but not to the socket `skip`.

        Raises `ValueError` when `to` names no room: the emit would reach all sockets, even unverified ones.
        """
        if isinstance(to, str) or not to or not all(to):
            raise ValueError("an emit needs rooms to go to")
        await self.emit(event, message.on_the_wire(), room=list(to), skip_sid=skip)

    async def send_to_socket(self, message: Message, sid: str) -> None:
        """Send a message to one socket, which is connected to this process."""
        if not sid:
            raise ValueError("an emit needs a socket to go to")
        await self.emit(message.event, message.on_the_wire(), room=[sid], ignore_queue=True)

    def sids_in(self, room: str) -> list[str]:
        """Return the ids of this process's sockets in `room`."""
        return [sid for sid, _ in self.server.manager.get_participants(self.namespace, room)]

    async def state_of(self, sid: str) -> SocketState:
        """Return the state of a socket. Raise `KeyError` when the socket is disconnected."""
        state: SocketState = (await self.get_session(sid))[STATE]
        return state

    def close(self, sid: str, reason: str | None = None) -> None:
        """Close the transport of a socket. Socket.IO then removes it from its rooms. `reason` is for the log."""
        environ = self.server.get_environ(sid, self.namespace)
        if environ is not None:
            close_transport(environ, reason)

    async def trigger_event(self, event: Any, *args: Any) -> Any:
        """Handle a connect, disconnect or event, and return the ack. python-socketio calls this method."""
        if event == "connect":
            return await self._connect(*args)
        if event == "disconnect":
            return await self._disconnect(*args)
        return await self._event(event, *args)

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        # from here on the check has a deadline of its own
        end_handshake(environ)
        outcome = await self._outcome("connect", self._admit(sid, environ, auth))
        if isinstance(outcome, Refusal):
            refuse(environ, outcome, self.guards.metrics)
        self.guards.metrics.connects.labels("accepted").inc()
        log.info("connected", namespace=self.namespace, user=outcome.user, role=outcome.role)

    async def _admit(self, sid: str, environ: dict[str, Any], auth: Any) -> Identity:
        try:
            identity = await with_deadline(self.guards.settings.handshake_seconds, self.guards.auth.identify(auth))
        except (TimeoutError, asyncio.CancelledError):
            # the library would accept the socket after a cancelled check
            raise Unauthorized(reason="slow_check") from None
        if is_closing(environ):
            raise Unauthorized(reason="left")
        await self.socket_cap.make_room_for(identity.user)
        # overwritten, never merged: a session outlives a reconnect of the namespace on the same transport
        state = SocketState(identity, time.monotonic())
        await self.save_session(sid, {STATE: state})
        await self.joined(Request(self._actions, sid, identity))
        self._expiry.watch(sid, state)
        self.socket_cap.publish_count(identity.user)
        return identity

    async def _disconnect(self, sid: str, reason: str = "") -> None:
        environ = self.server.get_environ(sid, self.namespace)
        state: SocketState | None = (await self.get_session(sid)).pop(STATE, None)
        if environ is not None:
            # a client may leave the namespace and keep the transport, on which nothing is served any more
            close_transport(environ)
        if state is None:
            return
        self._expiry.forget(state)
        # this socket leaves its rooms only after this method
        self.socket_cap.publish_count(state.identity.user, without=sid)
        self.guards.metrics.closes.labels(reason).inc()
        log.info("disconnected", namespace=self.namespace, user=state.identity.user, reason=reason)
        await self._outcome("disconnect", self.left(Request(self._actions, sid, state.identity)))

    async def _event(self, event: Any, sid: str, *arguments: Any) -> dict[str, Any]:
        state = await self.state_of(sid)
        state.last_heard = time.monotonic()
        route = self._by_event.get(event)
        name = route.event if route is not None else "unknown"
        began = time.perf_counter()
        outcome = await self._outcome(name, self._serve(route, event, sid, state, arguments))
        refusal = outcome if isinstance(outcome, Refusal) else None
        self.guards.metrics.count_event(name, refusal.code if refusal else "ok", time.perf_counter() - began)
        if refusal is not None and refusal.reason is not None:
            note_refusal(name, self.server.get_environ(sid, self.namespace), refusal, self.guards.metrics)
        self._close_abuser(sid, state, event, refusal)
        return {"ok": False, "error": refusal.as_error()} if refusal else {"ok": True, "data": outcome}

    async def _outcome(self, where: str, action: Awaitable[Any]) -> Any:
        """Return the result of `action`, or its `Refusal`. Other errors are logged with an id, as `Internal`."""
        try:
            return await action
        except Refusal as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - the one place: an error that passed here would send no ack
            internal = Internal(id=uuid.uuid4().hex)
            log.error("failed", where=where, id=internal.id, exc_info=error)
            return internal

    async def _serve(
        self, route: Route | None, event: Any, sid: str, state: SocketState, arguments: Sequence[Any]
    ) -> dict[str, Any]:
        if event in (MALFORMED, RESERVED_NAME):
            raise malformed_packet(self._by_event, *arguments)
        await self.check_rate(state.identity, route)
        if route is None:
            raise UnknownEvent
        if self.guards.clock() >= state.identity.expires_at and not route.after_expiry:
            raise TokenExpired
        if state.identity.role not in route.roles:
            raise Forbidden("this event is not for this role")
        payload = self.read(route, arguments)
        try:
            handling = route.handler(Request(self._actions, sid, state.identity), payload)
            return await with_deadline(self.guards.settings.handler_seconds, handling)
        except TimeoutError:
            raise TimedOut from None

    @cached_property
    def _by_event(self) -> dict[str, Route]:
        return {route.event: route for route in self.routes()}

    def _rooms_of(self, sid: str) -> set[str]:
        return set(self.server.rooms(sid, namespace=self.namespace))

    def _open_sids(self, user: str) -> list[str]:
        # a closing socket was evicted for an earlier one and does not count again
        environs = {sid: self.server.get_environ(sid, self.namespace) for sid in self.sids_in(user_room(user))}
        return [sid for sid, environ in environs.items() if environ is not None and not is_closing(environ)]

    def _close_abuser(self, sid: str, state: SocketState, event: Any, refusal: Refusal | None) -> None:
        """Close the socket of an abusive client. It sent too many events, malformed packets or a reserved name."""
        settings = self.guards.settings
        state.refused_in_a_row = state.refused_in_a_row + 1 if isinstance(refusal, RateLimited) else 0
        state.malformed += event == MALFORMED
        is_abuser = (
            event == RESERVED_NAME
            or state.malformed >= settings.malformed_frames
            or state.refused_in_a_row >= settings.refusals_in_a_row
        )
        if is_abuser:
            log.warning("closed", user=state.identity.user, reason=refusal.code if refusal else "ok")
            asyncio.get_running_loop().call_soon(self.close, sid)
