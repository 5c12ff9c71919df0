"""The address of a server to measure, and tokens that it accepts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import jwt

from good_server.settings import DEVELOPMENT_SECRET, Settings
from lab.servers.probe_client import FleetProbeClient, ProbeClient


class RunningServer(Protocol):
    """A server of one or several processes, for a lesson's experiment."""

    side: str

    @property
    def ports(self) -> tuple[int, ...]:
        """The public port of each server process."""

    @property
    def probe(self) -> ProbeClient | FleetProbeClient:
        """The client that reads the measurements of all server processes."""

    async def kill(self) -> None:
        """Kill every server process, without a graceful shutdown."""

    async def start_again(self) -> None:
        """Start the killed server processes again, on the same ports."""


@dataclass(frozen=True)
class Target:
    """The server that the experiment of a lesson measures.

    It has the server's ports and namespace, and makes tokens that the server accepts.
    """

    ports: tuple[int, ...]
    namespace: str
    server: RunningServer

    @classmethod
    def of(cls, server: RunningServer, lesson: int) -> Self:
        """Return `server` as the target of a lesson's experiment.

        On the bad server, the namespace is `/mistake-01` for lesson 1, and so on. On any other server it is `/`.
        """
        namespace = f"/mistake-{lesson:02}" if server.side == "bad" else "/"
        return cls(server.ports, namespace, server)

    @property
    def port(self) -> int:
        """The public port of the first server process."""
        return self.ports[0]

    @property
    def url(self) -> str:
        """The public address of the first server process."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def probe(self) -> ProbeClient | FleetProbeClient:
        """The client that reads the measurements of all server processes."""
        return self.server.probe

    def token(
        self,
        user: str,
        role: str = "vendor",
        *,
        company: str | None = None,
        rooms: Sequence[str] = (),
        expires_in: int = 3600,
    ) -> str:
        """Return a token for `user`, signed with the published development secret.

        It has the claims that the servers require, and expires in `expires_in` seconds. The role, the company and the
        rooms of the user are claims, too.
        """
        defaults = Settings.model_fields
        now = int(time.time())
        claims: dict[str, Any] = {"sub": user, "role": role, "iat": now, "exp": now + expires_in, "rooms": list(rooms)}
        claims |= {"company": company} if company is not None else {}
        claims |= {"iss": defaults["jwt_issuer"].default, "aud": defaults["jwt_audience"].default[0]}
        return jwt.encode(claims, DEVELOPMENT_SECRET, algorithm="HS256", headers={"typ": "at+jwt"})
