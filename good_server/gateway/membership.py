"""Carries out a back end's commands: change users' rooms, or disconnect users."""

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
    """Changes the rooms of users' sockets, and disconnects users, in all processes.

    In each namespace, all sockets of a user are in one room for this user. So this class finds the sockets in that
    room, and stores no list of sockets.
    """

    def __init__(self, gateways: Sequence[Gateway], cluster: Cluster) -> None:
        self._gateways = gateways
        self._cluster = cluster
        self._ending: set[asyncio.Task[None]] = set()

    async def move(self, order: Move) -> None:
        """Change the rooms of a user's sockets in all processes.

        `order`, a command of a back end, names the user and the rooms to join and to leave.
        """
        self._cluster.publish(order.model_dump(mode="json"))
        await self.move_here(order)

    async def disconnect(self, order: Disconnect) -> None:
        """Disconnect a user's sockets in all processes.

        `order` is a command of a back end; its `denial` says which tokens of the user are refused. The denial is stored
        before a socket is disconnected, so that no client can reconnect with such a token. This method waits at most
        `ENDED_SECONDS` until the sockets in this process are disconnected.
        """
        await self._cluster.denials.deny(order.user, order.denial)
        self._cluster.publish(order.model_dump(mode="json"))
        await self.disconnect_here(order)
        if self._ending:
            await asyncio.wait(self._ending, timeout=ENDED_SECONDS)

    async def move_here(self, order: Move) -> None:
        """Change the rooms of a user's sockets in this process.

        `order`, a command of a back end, names the user and the rooms to join and to leave.
        """
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

        `order` is a command of a back end; its `denial` says which tokens of the user are refused. This method first
        stores the denial in memory. It skips a socket whose connect is still in progress: that connect checks the
        denial itself, after the socket has joined its rooms.
        """
        self._cluster.denials.learn(order.user, order.denial)
        for gateway in self._gateways:
            for sid, state in (await gateway.local_sockets.open_of(order.user)).items():
                if state.is_accepted:
                    self._end(gateway, sid)

    async def check_connected(self) -> None:
        """Disconnect sockets of this process whose tokens the server now refuses.

        A back end's command can tell all processes to refuse tokens of a user, and to disconnect the user. If this
        process cannot reach Redis, it misses such commands. So this method is called when Redis is reachable again.
        """
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
