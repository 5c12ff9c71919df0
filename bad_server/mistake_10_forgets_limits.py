"""Mistake: nothing is limited. Payloads are not validated, rooms and events are not counted, frames may be 1 MB.
Symptom: one script with a valid token fills the memory, keeps the event loop busy and slows everyone else down.
Measured by: lab compare --only 10
Fixed in: good_server/gateway/gateway.py, Gateway.check_rate, Gateway.read; handlers/rooms.py, join: `TooManyRooms`
"""

import sys
from collections.abc import Sequence
from typing import Any

from good_server.app import Parts
from good_server.gateway import Gateway, Route
from good_server.handlers import chat, rooms
from good_server.roles import Identity


class PublicJobs:
    """Permission check that lets every user join every room `job:<id>`.

    Mistake 10 is the missing limit on the number of rooms. So permissions must not limit this number here.
    """

    async def may_join(self, identity: Identity, room: str) -> bool:
        return True


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        no_limit = sys.maxsize
        routes = (*chat.routes(parts.recent), *rooms.routes(PublicJobs(), rooms_per_socket=no_limit))
        super().__init__(namespace, parts.guards, routes)

    async def check_rate(self, identity: Identity, route: Route | None) -> None:
        """Checks no rate limit: our own page never sends too often."""

    def read(self, route: Route, arguments: Sequence[Any]) -> Any:
        """Returns the payload without validation: our own page sends valid data."""
        return route.payload.model_construct(**arguments[0])
