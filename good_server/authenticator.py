"""The interface of an authenticator, which decides who a client is. The default, in `auth.py`, verifies tokens."""

from typing import Any, Protocol

from aiohttp import web

from .roles import Identity


class Authenticator(Protocol):
    """Interface of an authenticator, which decides who a client is. Only the method `identify` is required.

    Four members are optional. The server calls `async start()` before the first client, and `async stop()` after the
    last client. The properties `is_ready` and `is_degraded` are for the readiness check: `/readyz` answers `keyless`
    with status 503 while `is_ready` is false, and `degraded` while `is_degraded` is true.
    """

    async def identify(self, auth: Any, request: web.Request) -> Identity:
        """Return who the client is.

        `auth` is the JSON payload of the client's CONNECT: a client can send any JSON value. `request` is the HTTP
        request that opened the connection, with its headers and cookies. The event `auth:refresh` calls this method
        again, with the new token as `{"token": …}` and the same request.

        Raises `Unauthorized` or `TokenExpired` for a client that must not reconnect with the same credentials. Raises
        `TemporarilyUnavailable` if this method cannot find out now who the client is: the connection then closes
        without an answer, and standard clients try again. Any other error, or a result that is no `Identity`, is
        logged, and the client is refused with the code `internal`. The time limit is `SERVER_HANDSHAKE_SECONDS` at a
        connect, and `SERVER_HANDLER_SECONDS` at an `auth:refresh`.

        An identity without `expires_at` is valid until the connection ends. If this method returns such an identity for
        an `auth:refresh`, the server answers that event with the error `invalid`.
        """


class ManagedAuthenticator(Authenticator, Protocol):
    """Interface of an authenticator with all optional members.

    An authenticator decides who a client is. `CustomAuth` adds the members that your authenticator lacks.
    """

    @property
    def is_ready(self) -> bool:
        """True when clients can be identified."""

    @property
    def is_degraded(self) -> bool:
        """True when something is wrong, but clients can be identified."""

    async def start(self) -> None:
        """Prepare to identify clients, before the first client connects."""

    async def drain(self) -> None:
        """End all waiting identity checks early, because the server is shutting down."""

    async def stop(self) -> None:
        """Stop this authenticator, after the last client has disconnected."""


class CustomAuth:
    """Wraps your authenticator, and adds the optional members that it lacks.

    An authenticator decides who a client is. The optional members are `start`, `stop`, `is_ready` and `is_degraded`.
    """

    def __init__(self, authenticator: Authenticator) -> None:
        self.own = authenticator

    @property
    def is_ready(self) -> bool:
        return bool(getattr(self.own, "is_ready", True))

    @property
    def is_degraded(self) -> bool:
        return bool(getattr(self.own, "is_degraded", False))

    async def start(self) -> None:
        if hasattr(self.own, "start"):
            await self.own.start()

    async def drain(self) -> None: ...

    async def stop(self) -> None:
        if hasattr(self.own, "stop"):
            await self.own.stop()

    async def identify(self, auth: Any, request: web.Request) -> Identity:
        """Return who the client is. Raises `TypeError` if your authenticator returns anything but an `Identity`."""
        identity = await self.own.identify(auth, request)
        if not isinstance(identity, Identity):
            raise TypeError("an authenticator must return an Identity")
        return identity
