"""Mistake: room membership is kept in a database table. Connects and disconnects write it, each message reads it.
Symptom: a member who closes one of two tabs is no longer reached. After a crash the table lists members who are gone.
Measured by: lab compare --only 04
Fixed in: good_server/handlers/chat.py, deliver: `target not in request.rooms()` and `to=(target, own_tabs)`
"""

import os
import sqlite3
from typing import Any

from good_server import events
from good_server.app import Parts
from good_server.errors import Forbidden
from good_server.events import ChatSend
from good_server.gateway import Gateway, Request
from good_server.handlers import chat
from good_server.rooms import base_rooms, user_room


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        super().__init__(namespace, parts.guards, chat.routes(parts.recent, self.deliver))
        # an empty name creates a temporary file, which SQLite removes by itself
        self.database = sqlite3.connect(os.environ.get("BAD_DATABASE", ""), isolation_level=None)
        self.database.execute("CREATE TABLE IF NOT EXISTS members (room TEXT, user TEXT, PRIMARY KEY (room, user))")

    async def joined(self, request: Request) -> None:
        for room in base_rooms(request.identity):
            await request.join(room)
        rows = [(room, request.identity.user) for room in request.identity.topic_rooms]
        self.database.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", rows)

    async def left(self, request: Request) -> None:
        self.database.execute("DELETE FROM members WHERE user = ?", (request.identity.user,))

    async def deliver(self, request: Request, sent: ChatSend) -> dict[str, Any]:
        if sent.room is None:
            return await chat.deliver(request, sent)
        rows = self.database.execute("SELECT user FROM members WHERE room = ?", (sent.room,))
        members = [user for (user,) in rows]
        if request.identity.user not in members:
            raise Forbidden("only members write to a room")
        message = chat.compose(request, sent)
        await request.emit(events.CHAT_MESSAGE, message, to=[user_room(user) for user in members], also_to_me=False)
        return {"id": message.id, "at": message.at}
