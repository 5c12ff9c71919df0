"""Eviction: above the cap, the user's longest silent socket is closed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..cluster_protocol import EVICT, Cluster
from .request import SocketState


@dataclass(frozen=True, slots=True)
class SocketCap:
    """The cap on a user's sockets, over all processes. A phone that reconnects often is never locked out."""

    namespace: str
    cluster: Cluster
    most: int
    # the user's sockets in this process that are not being closed
    open_sids: Callable[[str], list[str]]
    state_of: Callable[[str], Awaitable[SocketState]]
    close: Callable[[str], None]

    async def make_room_for(self, user: str) -> None:
        """Evict one socket when the user has as many as allowed.

        Of several processes the one with most of the user's sockets evicts one of its own.
        """
        here = len(self.open_sids(user))
        others = {} if here >= self.most else await self.cluster.counts.of_others("user", self.namespace + user)
        if here + sum(others.values()) < self.most:
            return
        process, count = max(others.items(), key=lambda other: other[1], default=("", 0))
        if count > here:
            self.cluster.publish({"method": EVICT, "process": process, "namespace": self.namespace, "user": user})
        else:
            await self.evict(user)

    async def evict(self, user: str) -> None:
        """Close the socket of this user here that has been silent longest."""
        heard = [((await self.state_of(sid)).last_heard, sid) for sid in self.open_sids(user)]
        if heard:
            self.close(min(heard)[1])

    def publish_count(self, user: str, *, without: str | None = None) -> None:
        """Publish the number of the user's sockets here. `without` is leaving."""
        count = len([sid for sid in self.open_sids(user) if sid != without])
        self.cluster.counts.publish("user", self.namespace + user, count)
