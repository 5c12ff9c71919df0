"""Eviction: disconnects a socket of a user who has too many sockets.

The disconnected socket is the one that has sent nothing for the longest time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from ..cluster_protocol import EVICT, Cluster
from .request import SocketState


@dataclass(frozen=True, slots=True)
class SocketCap:
    """The limit on a user's sockets, over all processes.

    For a new socket above the limit, an old socket of the user is disconnected.
    """

    namespace: str
    cluster: Cluster
    most: int
    # the user's sockets in this process that are not being closed
    open_sockets: Callable[[str], Awaitable[Mapping[str, SocketState]]]
    expel: Callable[[str, int], Awaitable[None]]
    # one change per user at a time; a lock lives as long as somebody uses it
    locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def admit(self, user: str, newest: SocketState) -> None:
        """Disconnect old sockets of `user` until the limit allows the socket `newest`.

        The limit is for the user's sockets in all processes. If another process has more of these sockets than this
        process, that process is asked to disconnect one socket.
        """
        lock = self.locks.setdefault(user, asyncio.Lock())
        async with lock:
            await self._settle(user, newest)
            newest.is_accepted = True
        await self.publish_count(user)

    async def evict(self, user: str) -> None:
        """Disconnect sockets of `user` if the user has too many.

        This method is called when another process has found too many. The limit is for the user's sockets in all
        processes. If another process has more of these sockets than this process, that process is asked to disconnect
        one socket.
        """
        lock = self.locks.setdefault(user, asyncio.Lock())
        async with lock:
            await self._settle(user)
        await self.publish_count(user)

    async def _settle(self, user: str, newest: SocketState | None = None) -> None:
        counts, key = self.cluster.counts, self.namespace + user
        while True:
            own = len(await self._old_sockets(user)) + (newest is not None)
            others = await counts.of_others("user", key, own=own)
            # sockets may have closed meanwhile
            old = await self._old_sockets(user)
            if len(old) + (newest is not None) + sum(others.values()) <= self.most:
                return
            process, count = max(others.items(), key=lambda other: other[1], default=("", 0))
            if count > len(old):
                # the process with most of the user's sockets evicts one
                self.cluster.publish({"method": EVICT, "process": process, "namespace": self.namespace, "user": user})
                return
            if not old:
                return
            await self.expel(min(old, key=lambda sid: old[sid].last_heard), self.most)

    async def _old_sockets(self, user: str) -> dict[str, SocketState]:
        """Return the user's sockets in this process, by id.

        Sockets that are being closed, and sockets that still wait for the result of `admit`, are left out.
        """
        return {sid: state for sid, state in (await self.open_sockets(user)).items() if state.is_accepted}

    async def publish_count(self, user: str, *, without: str | None = None) -> None:
        """Send the user's socket count to the other processes.

        This is the number of the user's sockets in this process. The socket with the id `without` is not counted.
        """
        count = len([sid for sid in await self._old_sockets(user) if sid != without])
        self.cluster.counts.publish("user", self.namespace + user, count)
