"""Mistake: who is online is kept by hand, set at connect and deleted at disconnect, and asked before a message is sent.
Symptom: closing one of two tabs takes the user offline for everybody; closing the other is a KeyError in the log.
Measured by: lab compare --only 05
Put right in: good_server/gateway/door.py, Gateway.left: nothing to do, as Socket.IO empties the rooms
"""

from typing import Any

from good_server.app import Parts
from good_server.events import ChatSend
from good_server.gateway import Gateway, Request
from good_server.handlers import chat


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        super().__init__(namespace, parts.guards, chat.routes(parts.recent, self.deliver))
        self.online_since: dict[str, int] = {}

    async def joined(self, request: Request) -> None:
        await super().joined(request)
        self.online_since[request.identity.user] = request.at

    async def left(self, request: Request) -> None:
        del self.online_since[request.identity.user]

    async def deliver(self, request: Request, sent: ChatSend) -> dict[str, Any]:
        if sent.to is None or sent.to in self.online_since:
            return await chat.deliver(request, sent)
        # nobody is there to read it
        return {"id": chat.compose(request, sent).id, "at": request.at}
