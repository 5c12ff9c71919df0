"""Warns a client before its token expires, and closes its connection afterwards.

Each socket has its own timer, so the server never has to search all connections for expired tokens.
"""

import asyncio
from collections.abc import Awaitable, Callable

from ..events import AuthExpiring, Message
from ..observability import log
from ..settings import Settings
from .request import SocketState

# a wall clock may be corrected, so a timer looks again after this time at the latest
LOOK_AGAIN_SECONDS = 300.0
EXPIRED = "expired"


class SessionExpiry:
    """Timers that warn clients and close sockets when tokens expire.

    `clock` returns seconds since the epoch. `send(message, sid)` sends to a socket, `close(sid, reason)` closes it.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float],
        send: Callable[[Message, str], Awaitable[None]],
        close: Callable[[str, str], None],
    ) -> None:
        self._notice_seconds = settings.expiry_notice_seconds
        self._grace_seconds = settings.expiry_grace_seconds
        self._clock = clock
        self._send = send
        self._close = close
        self._sending: set[asyncio.Task[None]] = set()

    def watch(self, sid: str, state: SocketState) -> None:
        """Start the timer for the expiry of a socket's token.

        The timer warns the client before the expiry, and closes the socket after it. A timer that the socket already
        has is replaced. If the token has no expiry, no timer is started.
        """
        self.forget(state)
        if state.identity.expires_at is None:
            return
        left = state.identity.expires_at - self._clock()
        notice = state.identity.notice_seconds(self._notice_seconds)
        seconds = left + self._grace_seconds if state.was_warned else left - notice
        delay = min(max(0.0, seconds), LOOK_AGAIN_SECONDS)
        state.timer = asyncio.get_running_loop().call_later(delay, self._look, sid, state)

    def forget(self, state: SocketState) -> None:
        """Stop the timer of a socket, if one is running."""
        if state.timer is not None:
            state.timer.cancel()
            state.timer = None

    def _look(self, sid: str, state: SocketState) -> None:
        if state.identity.expires_at is None:
            return
        left = state.identity.expires_at - self._clock()
        if left <= -self._grace_seconds:
            log.info(EXPIRED, user=state.identity.user)
            self._close(sid, EXPIRED)
            return
        if left <= state.identity.notice_seconds(self._notice_seconds) and not state.was_warned:
            state.was_warned = True
            self._warn(sid, left)
        self.watch(sid, state)

    def _warn(self, sid: str, left: float) -> None:
        expiring = AuthExpiring(expires_in=max(0.0, round(left, 3)))
        task = asyncio.ensure_future(self._send(expiring, sid))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
