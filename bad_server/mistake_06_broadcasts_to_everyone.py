"""Mistake: drivers' positions and chat messages go to everyone. Each client shows only what is meant for its user.
Symptom: traffic and CPU grow with the square of the user count, and any browser console shows other companies' drivers.
Measured by: lab compare --only 06
Fixed in: good_server/handlers/tracking.py, update: `to=followers_of(request.identity)`; chat.py, deliver, likewise
"""

from typing import Any

from good_server import events
from good_server.app import Parts
from good_server.errors import Forbidden
from good_server.events import ChatSend, TrackingPosition, TrackingUpdate
from good_server.gateway import Gateway, Request, Route
from good_server.handlers import chat, system
from good_server.roles import Role
from good_server.rooms import everyone, topic_room


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        drivers = frozenset({Role.DRIVER})
        tracking = Route(events.TRACKING_UPDATE, TrackingUpdate, self.update, roles=drivers, rate="tracking")
        routes = (tracking, *chat.routes(parts.recent, self.deliver), *system.routes())
        super().__init__(namespace, parts.guards, routes)

    async def update(self, request: Request, position: TrackingUpdate) -> dict[str, Any]:
        message = TrackingPosition(driver=request.identity.user, at=request.at, **position.model_dump())
        # the map in the page shows only the drivers that its user may see
        await request.emit(events.TRACKING_POSITION, message, to=everyone())
        return {"at": message.at}

    async def deliver(self, request: Request, sent: ChatSend) -> dict[str, Any]:
        if sent.room is not None and topic_room(sent.room) not in request.rooms():
            raise Forbidden("only members write to a room")
        message = chat.compose(request, sent)
        # the chat in the page shows only the messages to its user
        await request.emit(events.CHAT_MESSAGE, message, to=everyone(), also_to_me=False)
        return {"id": message.id, "at": message.at}
