"""Mistake: nothing is limited: payloads are not validated, rooms and events are not counted, frames may be 1 MB.
Symptom: one script with a valid token fills the memory, keeps the event loop busy and slows everyone else down.
Measured by: lab compare --only 10
Put right in: good_server/gateway/door.py, Gateway.check_rate, Gateway.read; handlers/rooms.py, join: `TooManyRooms`
"""

import sys
from collections.abc import Sequence
from typing import Any

from good_server.app import Parts
from good_server.gateway import Gateway, Route
from good_server.handlers import chat, rooms
from good_server.roles import Identity


class PublicJobs:
    """Jobs are open to all here: who may join a room is lesson 08, how many rooms one may join is this one."""

    async def may_join(self, identity: Identity, room: str) -> bool:
        return True


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        no_limit = sys.maxsize
        routes = (*chat.routes(parts.recent), *rooms.routes(PublicJobs(), rooms_per_socket=no_limit))
        super().__init__(namespace, parts.guards, routes)

    async def check_rate(self, identity: Identity, route: Route | None) -> None:
        """Our own page never asks too often."""

    def read(self, route: Route, arguments: Sequence[Any]) -> Any:
        """Our own page sends only what it should."""
        return route.payload.model_construct(**arguments[0])
