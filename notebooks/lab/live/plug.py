"""A proxy that can keep a tab's connection cut or silent."""

import asyncio
import socket

from lab.clients.faulty_link import RESET, FaultyLink


class Plug(FaultyLink):
    """A `FaultyLink` proxy that stays cut or silent until `put_back`.

    After `pull`, new connections are reset. After `enter_tunnel`, the proxy forwards nothing, and new connections get
    no answer.
    """

    def __init__(self, *target_ports: int) -> None:
        super().__init__(*target_ports)
        self.state = "in"
        self._held: list[socket.socket] = []

    async def pull(self) -> None:
        """Reset every connection, also new ones, until `put_back`."""
        self.state = "pulled"
        self._drop_held()
        await self.cut()

    async def enter_tunnel(self) -> None:
        """Forward nothing, also on new connections, until `put_back`."""
        self.state = "tunnel"
        await self.go_silent()

    async def cut(self) -> None:
        """Reset every connection; after `enter_tunnel`, also reset new connections.

        After `enter_tunnel`, only the client's end of each connection is reset, so the server notices nothing. New
        connections are reset, because a connecting client would otherwise wait for an answer that never comes.
        """
        if self.state != "tunnel":
            await super().cut()
            return
        self.state = "pulled"
        self._drop_held()
        self._reset_clients()
        await asyncio.sleep(0)

    async def put_back(self) -> None:
        """Let new connections work again.

        After `enter_tunnel`, the client's end of each silent connection is reset, as if the client had a new address.
        The server's end stays open: the server does not know that the client has left.
        """
        self.state = "in"
        self._drop_held()
        self._reset_clients()
        await asyncio.sleep(0)

    async def _close(self) -> None:
        self._drop_held()
        await super()._close()

    def _start(self, accepted: socket.socket) -> None:
        if self.state == "in":
            super()._start(accepted)
        elif self.state == "tunnel":
            self._held.append(accepted)
        else:
            _reset(accepted)

    def _reset_clients(self) -> None:
        for connection in list(self._connections):
            if connection.is_silent:
                connection.writers[0].transport.abort()

    def _drop_held(self) -> None:
        while self._held:
            _reset(self._held.pop())


def _reset(accepted: socket.socket) -> None:
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    accepted.close()
