"""Mistake: a user may be connected once; a second tab or device throws the first one out.
Symptom: two tabs reconnect and throw each other out for ever; the phone at the bottom of a bag logs the desk out.
Measured by: lab compare --only 07
Put right in: good_server/gateway/door.py, Gateway.joined: every socket joins `user:<sub>`, which reaches them all
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
        """One session a user, and the newest one counts."""
        for sid in self.sids_in(user_room(request.identity.user)):
            if sid != request.sid:
                self.close(sid)
