"""Mistake: each user's socket ids are kept in a dict. Every connect adds one, and messages are sent to those ids.
Symptom: each message costs more with every reconnect, as it also goes to sockets that no longer exist.
Measured by: lab compare --only 01
Fixed in: good_server/handlers/chat.py, deliver: `to=(target, own_tabs)`, rooms that Socket.IO empties by itself
"""

from collections import defaultdict
from typing import Any

from good_server import events
from good_server.app import Parts
from good_server.events import ChatSend
from good_server.gateway import Gateway, Request
from good_server.handlers import chat


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        super().__init__(namespace, parts.guards, chat.routes(parts.recent, self.deliver))
        self.socket_ids: defaultdict[str, list[str]] = defaultdict(list)

    async def joined(self, request: Request) -> None:
        await super().joined(request)
        self.socket_ids[request.identity.user].append(request.sid)

    async def deliver(self, request: Request, sent: ChatSend) -> dict[str, Any]:
        if sent.to is None:
            return await chat.deliver(request, sent)
        message = chat.compose(request, sent)
        for socket_id in {*self.socket_ids[sent.to], *self.socket_ids[request.identity.user]}:
            await request.emit(events.CHAT_MESSAGE, message, to=(socket_id,), also_to_me=False)
        return {"id": message.id, "at": message.at}
