"""The gateway checks every connect, event and disconnect of a namespace.

Any error during a connect becomes a refusal: python-socketio accepts every socket that is not refused explicitly.
"""

import asyncio
import math
import time
import uuid
from collections.abc import Awaitable, Sequence
from functools import cached_property, partial
from typing import Any

import socketio

from ..admission import address_in, close_transport, end_handshake, is_closing
from ..close_reasons import CloseReason, note_reason, reason_of
from ..errors import Forbidden, Internal, RateLimited, Refusal, TimedOut, TokenExpired, Unauthorized, UnknownEvent
from ..events import Message, SessionEvicted
from ..observability import log
from ..packets import BINARY, MALFORMED, RESERVED_NAME
from ..roles import Identity
from ..rooms import rooms_at_connect
from .abuse import Abuse
from .connection_log import log_connected, log_disconnected
from .deadline import with_deadline
from .entitled_rooms import entitled_rooms
from .eviction import SocketCap
from .refusals import malformed_packet, note_refusal, read_payload, refuse
from .request import STATE, Actions, Request, SocketGone, SocketState
from .route import Guards, Route
from .session_expiry import SessionExpiry
from .sockets import Sockets


class Gateway(socketio.AsyncNamespace):  # type: ignore[misc]  # the library ships no types
    """A namespace that checks every connect, event and disconnect.

    A subclass may override `joined`, `left`, `routes`, `check_rate` and `read`.
    """

    def __init__(self, namespace: str, guards: Guards, routes: Sequence[Route] = ()) -> None:
        super().__init__(namespace)
        self.guards = guards
        self._given_routes = tuple(routes)
        self.local_sockets = sockets = Sockets(self)
        most = guards.settings.sockets_per_user
        self.socket_cap = SocketCap(namespace, guards.cluster, most, sockets.open_of, self._evict)
        self._expiry = SessionExpiry(guards.settings, guards.clock, self.send_to_socket, self.close)
        rooms = (sockets.rooms_of, sockets.join, sockets.leave)
        checks = (guards.cluster.denials.check, partial(entitled_rooms, guards))
        self._actions = Actions(namespace, guards.clock, self.send, *rooms, self.state_of, self._expiry.watch, *checks)

    def routes(self) -> Sequence[Route]:
        """Return the routes of this namespace, one per event. A route names an event's handler and checks."""
        return self._given_routes

    async def joined(self, request: Request) -> None:
        """Put a verified socket into the rooms of its identity. The CONNECT reply follows later."""
        for room in rooms_at_connect(request.identity):
            await request.join(room)

    async def left(self, request: Request) -> None:
        """Do nothing after a disconnect; a subclass may override this. Socket.IO takes the socket out of its rooms."""

    async def check_rate(self, identity: Identity, route: Route | None) -> None:
        """Count one event of the user. Raise `RateLimited` when the user sends too many.

        `route` names the event's own rate limit, and is None for an unknown event.
        """
        # the narrower rate first: what it refuses must not take from the rate of all other events
        for kind in ("events",) if route is None or route.rate is None else (route.rate, "events"):
            wait_seconds = await self.guards.rates.wait_seconds(identity.user, kind)
            if wait_seconds:
                # rounded up: 0 would tell the client to retry at once, and to be refused again
                raise RateLimited(retry_after=math.ceil(wait_seconds * 1000) / 1000)

    def read(self, route: Route, arguments: Sequence[Any]) -> Any:
        """Return the payload as the event's Pydantic model. Raise `Invalid` when the payload does not match it."""
        return read_payload(route.payload, arguments)

    async def send(self, event: str, message: Message, *, to: Sequence[str], skip: str | None = None) -> None:
        """Send a message to all sockets in the rooms `to`, except `skip`.

        `skip` is a socket id. Raises `ValueError` when `to` names no room: such an emit would reach all sockets of the
        namespace, even unverified ones.
        """
        if isinstance(to, str) or not to or not all(to):
            raise ValueError("an emit needs rooms to go to")
        await self.emit(event, message.on_the_wire(), room=list(to), skip_sid=skip)

    async def send_to_socket(self, message: Message, sid: str) -> None:
        """Send a message to one socket. This socket must be connected to this process."""
        if not sid:
            raise ValueError("an emit needs a socket to go to")
        # lab: ignore[RM021] the message is about this one connection, for example that its token expires
        await self.emit(message.event, message.on_the_wire(), room=[sid], ignore_queue=True)

    def sids_in(self, room: str) -> list[str]:
        """Return the ids of this process's sockets in `room`."""
        return [sid for sid, _ in self.server.manager.get_participants(self.namespace, room)]

    async def state_of(self, sid: str) -> SocketState:
        """Return the state of a socket, such as its identity. Raise `KeyError` when the socket is disconnected."""
        state: SocketState = (await self.get_session(sid))[STATE]
        return state

    def close(self, sid: str, reason: str = CloseReason.SERVER) -> None:
        """Close the transport of a socket. Socket.IO then removes the socket from all rooms. The log gets `reason`."""
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
            self.guards.report(outcome, user=None, event="connect")
            refuse(environ, outcome, self.guards.metrics)
        log_connected(self.guards.metrics, self.namespace, outcome, environ)

    async def _admit(self, sid: str, environ: dict[str, Any], auth: Any) -> Identity:
        seconds = self.guards.settings.handshake_seconds
        try:
            identity = await with_deadline(seconds, self.guards.auth.identify(auth, environ["aiohttp.request"]))
            await self.guards.cluster.denials.check(identity)
        except (TimeoutError, asyncio.CancelledError):
            # the library would accept the socket after a cancelled check
            raise Unauthorized(reason="slow_check") from None
        # the library never ends a socket that is gone before the answer: it has to be refused
        if is_closing(environ):
            raise SocketGone
        state = SocketState(identity, time.monotonic(), environ["aiohttp.request"])
        # overwritten, never merged: a session outlives a reconnect of the namespace on the same transport
        await self.save_session(sid, {STATE: state})
        request = Request(self._actions, sid, identity)
        # asked first: while this waits, the socket is in no room
        entitled = await request.entitled_rooms(identity, besides=set(identity.topic_rooms))
        await with_deadline(seconds, self.joined(request))
        for room in entitled:
            await request.join(room)
        if not is_closing(environ):
            await self.socket_cap.admit(identity.user, state)
        if is_closing(environ):
            await self.socket_cap.publish_count(identity.user, without=sid)
            raise SocketGone
        # an order that came meanwhile did not find this socket, and one that comes later finds it
        self.guards.cluster.denials.check_known(identity)
        self._expiry.watch(sid, state)
        return identity

    async def _evict(self, sid: str, limit: int) -> None:
        """Disconnect a socket, because its user has too many sockets.

        The client gets a Socket.IO DISCONNECT: if only the transport closed, the client would reconnect. `limit` is
        the number of sockets that a user may have.
        """
        environ = self.server.get_environ(sid, self.namespace)
        user = (await self.state_of(sid)).identity.user
        note_reason(environ["aiohttp.request"], CloseReason.EVICTED)
        self.guards.metrics.evictions.inc()
        log.info("evicted", namespace=self.namespace, user=user, limit=limit, address=address_in(environ))
        await self.send_to_socket(SessionEvicted(limit=limit), sid)
        await self.server.disconnect(sid, self.namespace, ignore_queue=True)

    async def _disconnect(self, sid: str, reason: str = "") -> None:
        environ = self.server.get_environ(sid, self.namespace)
        state: SocketState | None = (await self.get_session(sid)).pop(STATE, None)
        reason = reason_of(environ["aiohttp.request"], reason) if environ is not None else reason
        if environ is not None:
            self.local_sockets.end(sid, environ, reason, self.guards.settings.handshake_seconds)
        if state is None:
            return
        self._expiry.forget(state)
        # this socket leaves its rooms only after this method
        await self.socket_cap.publish_count(state.identity.user, without=sid)
        user = state.identity.user
        log_disconnected(self.guards.metrics, self.namespace, user, environ, reason)
        leaving = self.left(Request(self._actions, sid, state.identity))
        outcome = await self._outcome("disconnect", with_deadline(self.guards.settings.handler_seconds, leaving))
        self.guards.report(outcome, user=user, event="disconnect")

    async def _event(self, event: Any, sid: str, *arguments: Any) -> Any:
        state = await self.state_of(sid)
        if state.is_closing:
            return self.server.not_handled
        state.last_heard = time.monotonic()
        route = self._by_event.get(event)
        name = route.event if route is not None else "unknown"
        began = time.perf_counter()
        outcome = await self._outcome(name, self._serve(route, event, sid, state, arguments))
        refusal = outcome if isinstance(outcome, Refusal) else None
        self.guards.metrics.count_event(name, refusal.code if refusal else "ok", time.perf_counter() - began)
        if refusal is not None:
            if refusal.reason is not None:
                note_refusal(name, self.server.get_environ(sid, self.namespace), refusal, self.guards.metrics)
            self.guards.report(refusal, user=state.identity.user, event=name)
            self._close_abuser(sid, state, event, refusal)
        return {"ok": False, "error": refusal.as_error()} if refusal else {"ok": True, "data": outcome}

    async def _outcome(self, where: str, action: Awaitable[Any]) -> Any:
        """Return the result of `action`, or the `Refusal` that it raises.

        If the socket was disconnected, return `Unauthorized`. Any other error is logged with `where` and a new id, and
        an `Internal` refusal with this id is returned. `where` is `connect`, `disconnect` or the name of the event.
        """
        try:
            return await action
        except Refusal as refusal:
            return refusal
        except SocketGone:
            return Unauthorized(reason="left")
        except Exception as error:  # noqa: BLE001 - the one place: an error that passed here would send no ack
            internal = Internal(id=uuid.uuid4().hex)
            internal.__cause__ = error
            log.error("failed", where=where, id=internal.id, exc_info=error)
            return internal

    async def _serve(
        self, route: Route | None, event: Any, sid: str, state: SocketState, arguments: Sequence[Any]
    ) -> dict[str, Any]:
        if event in (MALFORMED, BINARY, RESERVED_NAME):
            raise malformed_packet(event, self._by_event, *arguments)
        await self.check_rate(state.identity, route)
        if route is None:
            raise UnknownEvent
        if state.identity.is_expired(self.guards.clock()) and not route.after_expiry:
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

    def _close_abuser(self, sid: str, state: SocketState, event: Any, refusal: Refusal) -> None:
        """Count the refusal of an event. After too many refusals, close the socket as soon as the ack is sent."""
        if state.abuse is None:
            state.abuse = Abuse()
        reason = state.abuse.reason_to_close(event, refusal, state.last_heard, self.guards.settings)
        if reason is not None:
            state.is_closing = True
            log.warning("closed", user=state.identity.user, reason=reason)
            asyncio.get_running_loop().call_soon(self.close, sid, reason)
