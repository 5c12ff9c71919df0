"""Tracking: a driver's position, to its own company and the admins, and to nobody else."""

from typing import Any

from .. import events
from ..events import TrackingPosition, TrackingUpdate
from ..gateway import Request, Route
from ..roles import Role
from ..rooms import followers_of


def routes() -> tuple[Route, ...]:
    """Drivers alone report positions, at a rate of their own."""
    return (Route(events.TRACKING_UPDATE, TrackingUpdate, update, roles=frozenset({Role.DRIVER}), rate="tracking"),)


async def update(request: Request, position: TrackingUpdate) -> dict[str, Any]:
    """Who it is comes from the token, when it was from the server."""
    message = TrackingPosition(driver=request.identity.user, at=request.at, **position.model_dump())
    await request.emit(events.TRACKING_POSITION, message, to=followers_of(request.identity))
    return {"at": message.at}
