"""Carries out a back end's commands to move and disconnect users."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from ..close_reasons import CloseReason
from ..cluster_protocol import Cluster
from ..orders import Disconnect, Move
from .gateway import Gateway
from .request import SocketGone

# a hanging handler of a disconnect must not delay the answer to the back end
ENDED_SECONDS = 1.0


class Membership:
    """Carries out commands about users, in this process and all others.

    In each namespace, the sockets in a user's room are the user's sockets. So this class stores no list of sockets.
    """

    def __init__(self, gateways: Sequence[Gateway], cluster: Cluster) -> None:
        self._gateways = gateways
        self._cluster = cluster
        self._ending: set[asyncio.Task[None]] = set()

    async def move(self, order: Move) -> None:
        """Change the rooms of a user's sockets in all processes."""
        self._cluster.publish(order.model_dump(mode="json"))
        await self.move_here(order)

    async def disconnect(self, order: Disconnect) -> None:
        """Disconnect a user in all processes, after the denial was stored."""
        await self._cluster.denials.deny(order.user, order.denial)
        self._cluster.publish(order.model_dump(mode="json"))
        await self.disconnect_here(order)
        if self._ending:
            await asyncio.wait(self._ending, timeout=ENDED_SECONDS)

    async def move_here(self, order: Move) -> None:
        """Change the rooms of a user's sockets in this process."""
        for gateway in self._gateways:
            sockets = gateway.local_sockets
            for sid in await sockets.open_of(order.user):
                for room in order.leave:
                    sockets.leave(sid, room)
                with suppress(SocketGone):
                    for room in order.join:
                        sockets.join(sid, room)

    async def disconnect_here(self, order: Disconnect) -> None:
        """Start to disconnect the sockets of a user in this process.

        The denial is stored in memory first. This method skips a socket whose connect is still in progress: that
        connect checks the denial itself, after the socket has joined its rooms.
        """
        self._cluster.denials.learn(order.user, order.denial)
        for gateway in self._gateways:
            for sid, state in (await gateway.local_sockets.open_of(order.user)).items():
                if state.is_accepted:
                    self._end(gateway, sid)

    async def check_connected(self) -> None:
        """Disconnect users that were denied while this process could not receive commands."""
        denials = self._cluster.denials
        for gateway in self._gateways:
            await denials.update({state.identity.user for _, state in await gateway.local_sockets.all()})
            # asked again: meanwhile sockets have closed and others have connected
            for sid, state in await gateway.local_sockets.all():
                if state.is_accepted and denials.refuses(state.identity):
                    self._end(gateway, sid)

    def _end(self, gateway: Gateway, sid: str) -> None:
        task = asyncio.get_running_loop().create_task(gateway.local_sockets.disconnect(sid, CloseReason.REVOKED))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
