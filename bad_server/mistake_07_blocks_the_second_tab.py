"""Mistake: a user may have only one connection. A second tab or device disconnects the first one.
Symptom: two tabs reconnect and disconnect each other without end; a forgotten phone disconnects the office computer.
Measured by: lab compare --only 07
Fixed in: good_server/gateway/gateway.py, Gateway.joined: every socket joins `user:<sub>`, so one emit reaches all
"""

from good_server.app import Parts
from good_server.gateway import Gateway, Request
from good_server.handlers import chat
from good_server.rooms import user_room


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        super().__init__(namespace, parts.guards, chat.routes(parts.recent))

    async def joined(self, request: Request) -> None:
        await super().joined(request)
        await self.end_older_sessions(request)

    async def end_older_sessions(self, request: Request) -> None:
        """Closes all sockets of the user except the newest one."""
        for sid in self.sids_in(user_room(request.identity.user)):
            if sid != request.sid:
                self.close(sid)
