"""Mistake: positions and chat messages are emitted to everyone, and each client keeps what concerns it.
Symptom: bandwidth and CPU grow with the square of the users, and any browser console shows other companies' drivers.
Measured by: lab compare --only 06
Put right in: good_server/handlers/tracking.py, `update`: `to=followers_of(request.identity)`; chat.py likewise
"""

import uuid
from collections.abc import Sequence
from typing import Any

from good_server import events
from good_server.app import Parts
from good_server.errors import Forbidden
from good_server.events import ChatMessage, ChatSend, Sender, TrackingPosition, TrackingUpdate
from good_server.gateway import Gateway, Request, Route
from good_server.handlers import system
from good_server.roles import Role
from good_server.rooms import everyone, topic_room


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        super().__init__(namespace, parts.guards)
        self.recent = parts.recent

    def routes(self) -> Sequence[Route]:
        drivers = frozenset({Role.DRIVER})
        return (
            Route(events.TRACKING_UPDATE, TrackingUpdate, self.report_position, roles=drivers, rate="tracking"),
            Route(events.CHAT_SEND, ChatSend, self.send_chat, rate="chat"),
            *system.routes(),
        )

    async def report_position(self, request: Request, position: TrackingUpdate) -> dict[str, Any]:
        message = TrackingPosition(driver=request.identity.user, at=request.at, **position.model_dump())
        # the map shows only the drivers that its user may see
        await request.emit(events.TRACKING_POSITION, message, to=everyone())
        return {"at": message.at}

    async def send_chat(self, request: Request, chat: ChatSend) -> dict[str, Any]:
        return await self.recent.once(request.identity.user, chat.id, lambda: self.deliver(request, chat))

    async def deliver(self, request: Request, chat: ChatSend) -> dict[str, Any]:
        if chat.room is not None and topic_room(chat.room) not in request.rooms():
            raise Forbidden("only members write to a room")
        sender = Sender(id=request.identity.user, role=request.identity.role)
        message = ChatMessage(
            id=uuid.uuid4().hex, sender=sender, to=chat.to, room=chat.room, text=chat.text, at=request.at
        )
        # the chat pane shows only what is addressed to its user
        await request.emit(events.CHAT_MESSAGE, message, to=everyone(), also_to_me=False)
        return {"id": message.id, "at": message.at}
