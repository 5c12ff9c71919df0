"""Client manager that builds one frame per message to a room.

A client manager stores the rooms of a Socket.IO server, and emits to them. At an emit python-socketio's own manager
makes one task per recipient. When a socket disconnects, that manager checks every room of the namespace. The manager of
this module also stores the rooms of each socket, so at a disconnect it checks only those rooms.
"""

from typing import Any

import socketio
from engineio import packet as engine_packet
from socketio import packet

from ..events import volatile_events
from ..rooms import named_rooms
from .frames import message_frame
from .send_queue import SendQueue


class RoomManager(socketio.AsyncManager):  # type: ignore[misc]  # the library ships no types
    """Client manager that stores both a room's sockets and a socket's rooms.

    Through its client manager, a Socket.IO server emits to rooms.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rooms_of: dict[tuple[str, str], set[str | None]] = {}
        # found by the event's name: the emit of another process carries only that
        self._volatile = volatile_events()

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
        self._rooms_of.setdefault((namespace, sid), set()).add(room)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        super().basic_leave_room(sid, namespace, room)
        rooms = self._rooms_of.get((namespace, sid))
        if rooms is not None:
            rooms.discard(room)
            if not rooms:
                del self._rooms_of[namespace, sid]

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """Remove a socket from its rooms, without checking any other room."""
        # the room of the whole namespace comes last: the library finds the connection through it
        for room in sorted(self._rooms_of.get((namespace, sid), ()), key=lambda room: room is None):
            self.basic_leave_room(sid, namespace, room)
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)
                if not pending[namespace]:
                    del pending[namespace]

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        return [room for room in self._rooms_of.get((namespace, sid), ()) if room is not None]

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        """Send an event to rooms, with one frame for all sockets.

        A volatile event is dropped for clients that have not read their earlier messages. If there is a `callback`,
        python-socketio's own manager sends the event. Raises `ValueError` if no room is named.
        """
        rooms = named_rooms(to or room)
        if callback is not None:
            await super().emit(event, data, namespace, room=rooms, skip_sid=skip_sid, callback=callback, **kwargs)
            return
        recipients = self._recipients(namespace, rooms, skip_sid)
        if event in self._volatile:
            recipients = [send_queue for send_queue in recipients if not send_queue.is_backed_up]
        if not recipients:
            return
        arguments = list(data) if isinstance(data, tuple) else [data] if data is not None else []
        encoded = self.server.packet_class(packet.EVENT, namespace=namespace, data=[event, *arguments]).encode()
        parts = encoded if isinstance(encoded, list) else [encoded]
        frames = [message_frame(part) for part in parts]
        for send_queue in recipients:
            if send_queue.is_open:
                for data_frame in frames:
                    send_queue.write(data_frame)
            else:
                for part in parts:
                    send_queue.put_nowait(engine_packet.Packet(engine_packet.MESSAGE, part))

    def _recipients(self, namespace: str, rooms: list[str], skip_sid: Any) -> list[SendQueue]:
        """Return the send queues of all sockets in `rooms`, except `skip_sid`. Each queue occurs only once."""
        members = self.rooms.get(namespace, {})
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        connections: dict[str, None] = {}
        for name in rooms:
            for sid, connection in members.get(name, {}).items():
                if sid not in skipped:
                    connections[connection] = None
        sockets = self.server.eio.sockets
        return [sockets[connection].queue for connection in connections if connection in sockets]
