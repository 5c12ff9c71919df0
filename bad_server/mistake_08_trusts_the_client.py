"""Mistake: the client chooses its rooms and its messages' sender. The server verifies neither.
Symptom: none in the demo, whose page asks only for its own rooms. In a browser console, any user can act as another.
Measured by: lab compare --only 08
Fixed in: good_server/handlers/rooms.py, join: `may_join(request.identity, room)`; events.py: `extra="forbid"`
"""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from good_server import events
from good_server.app import Parts
from good_server.events import ChatSend, RoomChange, Sender
from good_server.gateway import Gateway, Request, Route
from good_server.handlers import chat, system, tracking


class ChatFrom(ChatSend):
    sender: Annotated[Sender | None, Field(alias="from")] = None


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        join = Route(events.ROOM_JOIN, RoomChange, self.join)
        send = Route(events.CHAT_SEND, ChatFrom, self.send_chat, rate="chat")
        super().__init__(namespace, parts.guards, (join, send, *tracking.routes(), *system.routes()))
        self.recent = parts.recent

    async def join(self, request: Request, change: RoomChange) -> dict[str, Any]:
        # the page knows which rooms its user has open
        await request.join(change.room)
        return {"room": change.room}

    async def send_chat(self, request: Request, sent: ChatFrom) -> dict[str, Any]:
        # the page knows who is logged in
        if sent.sender is not None:
            author = replace(request.identity, user=sent.sender.id, role=sent.sender.role)
            request = replace(request, identity=author)
        return await self.recent.once(request.identity.user, sent.id, lambda: chat.deliver(request, sent))
