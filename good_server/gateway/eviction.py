"""Eviction: a user with too many sockets loses the longest silent one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..cluster_protocol import EVICT, Cluster
from .request import SocketState


@dataclass(frozen=True, slots=True)
class SocketCap:
    """The limit on a user's sockets, over all processes. At the limit an old socket is closed for a new one."""

    namespace: str
    cluster: Cluster
    most: int
    # the user's sockets in this process that are not being closed
    open_sids: Callable[[str], list[str]]
    state_of: Callable[[str], Awaitable[SocketState]]
    close: Callable[[str], None]

    async def make_room_for(self, user: str) -> None:
        """Close one socket of `user` when the limit is reached.

        If there are several processes, the one with most of the user's sockets closes one of them.
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
        """Close the user's longest silent socket in this process."""
        heard = [((await self.state_of(sid)).last_heard, sid) for sid in self.open_sids(user)]
        if heard:
            self.close(min(heard)[1])

    def publish_count(self, user: str, *, without: str | None = None) -> None:
        """Publish the number of the user's sockets in this process. The socket `without` is not counted."""
        count = len([sid for sid in self.open_sids(user) if sid != without])
        self.cluster.counts.publish("user", self.namespace + user, count)
