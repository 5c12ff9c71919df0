"""Mistake: our own dict stores who is online. Connects add a user, disconnects remove the user, sends read the dict.
Symptom: closing one of two tabs marks the user as offline; closing the other one logs a KeyError.
Measured by: lab compare --only 05
Fixed in: good_server/gateway/gateway.py, Gateway.left: nothing to do, because Socket.IO empties the rooms
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
        # the user is offline, so nothing is sent
        return {"id": chat.compose(request, sent).id, "at": request.at}
