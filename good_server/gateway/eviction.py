"""Eviction: one socket too many closes the user's longest silent one.

So a phone that reconnects again and again is never locked out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..cluster_protocol import Cluster, eviction_request
from ..rooms import user_room
from .request import SocketState


class Sockets(Protocol):
    """What eviction asks of a gateway."""

    namespace: str
    close: Callable[[str], None]

    def sids_in(self, room: str) -> Sequence[str]:
        """Return the sockets in a room."""

    def is_closing(self, sid: str) -> bool:
        """Whether a socket is being closed."""

    async def state_of(self, sid: str) -> SocketState:
        """Return the state of a socket."""


@dataclass(frozen=True, slots=True)
class SocketCap:
    """The cap on the sockets of one user, over all processes."""

    sockets: Sockets
    cluster: Cluster
    most: int

    async def make_room_for(self, user: str) -> None:
        """Evict one socket when the user has as many as allowed.

        Of several processes the one with most of the user's sockets evicts one of its own.
        """
        here = len(self._open(user))
        others = {} if here >= self.most else await self.cluster.counts.of_others("user", self._name_of(user))
        if here + sum(others.values()) < self.most:
            return
        process, count = max(others.items(), key=lambda other: other[1], default=("", 0))
        if count > here:
            self.cluster.publish(eviction_request(process, self.sockets.namespace, user))
        else:
            await self.evict(user)

    async def evict(self, user: str) -> None:
        """Close the socket of this user here that has been silent longest."""
        heard = [((await self.sockets.state_of(sid)).last_heard, sid) for sid in self._open(user)]
        if heard:
            self.sockets.close(min(heard)[1])

    def publish_count(self, user: str, *, without: str | None = None) -> None:
        """Publish the number of the user's sockets here. `without` is leaving."""
        count = len([sid for sid in self._open(user) if sid != without])
        self.cluster.counts.publish("user", self._name_of(user), count)

    def _open(self, user: str) -> list[str]:
        """Return the sockets of this process that are not being closed.

        A closing socket was evicted for an earlier one and does not count again.
        """
        return [sid for sid in self.sockets.sids_in(user_room(user)) if not self.sockets.is_closing(sid)]

    def _name_of(self, user: str) -> str:
        return f"{self.sockets.namespace}{user}"
