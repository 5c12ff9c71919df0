"""Mistake: rooms are joined in `session:login`, not at connect. The page sends that event once, after it has loaded.
Symptom: after a reconnect the socket is open and can send, but it receives nothing until the page is reloaded.
Measured by: lab compare --only 03
Fixed in: good_server/gateway/gateway.py, Gateway.joined: `await request.join(room)`, at every connect
"""

from typing import Any

from good_server.app import Parts
from good_server.events import Payload
from good_server.gateway import Gateway, Request, Route
from good_server.handlers import chat
from good_server.rooms import rooms_at_connect

SESSION_LOGIN = "session:login"


class SessionLogin(Payload):
    """Payload of `session:login`: empty, as the token already identifies the user."""


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        login = Route(SESSION_LOGIN, SessionLogin, self.log_in)
        super().__init__(namespace, parts.guards, [login, *chat.routes(parts.recent)])

    async def joined(self, request: Request) -> None:
        """Joins no room: the page sends `session:login` after it has loaded."""

    async def log_in(self, request: Request, _: SessionLogin) -> dict[str, Any]:
        for room in rooms_at_connect(request.identity):
            await request.join(room)
        return {"user": request.identity.user}
