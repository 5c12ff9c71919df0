"""Tracking: a driver's position, to its own company and the admins, and to nobody else."""

from typing import Any

from good_server import events
from good_server.events import TrackingPosition, TrackingUpdate
from good_server.gateway import Request, Route
from good_server.roles import Role
from good_server.rooms import followers_of


def routes() -> tuple[Route, ...]:
    """Drivers alone report positions, at a rate of their own."""
    return (Route(events.TRACKING_UPDATE, TrackingUpdate, update, roles=frozenset({Role.DRIVER}), rate="tracking"),)


async def update(request: Request, position: TrackingUpdate) -> dict[str, Any]:
    """Who it is comes from the token, when it was from the server."""
    message = TrackingPosition(driver=request.identity.user, at=request.at, **position.model_dump())
    await request.emit(events.TRACKING_POSITION, message, to=followers_of(request.identity))
    return {"at": message.at}
