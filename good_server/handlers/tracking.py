"""Handler of `tracking:update`, the event with a driver's position.

Only the driver's company and the admins receive the position.
"""

from typing import Any

from .. import events
from ..events import Noted, TrackingPosition, TrackingUpdate
from ..gateway import Request, Route
from ..roles import Role
from ..rooms import followers_of


def routes() -> tuple[Route, ...]:
    """Return the route of `tracking:update`: the event with its handler and checks. Only drivers may send it."""
    drivers = frozenset({Role.DRIVER})
    return (Route(events.TRACKING_UPDATE, TrackingUpdate, update, answer=Noted, roles=drivers, rate="tracking"),)


async def update(request: Request, position: TrackingUpdate) -> dict[str, Any]:
    """Send a driver's position to the driver's company and all admins.

    The driver's id comes from the token. Return the `data` of the ack.
    """
    message = TrackingPosition(driver=request.identity.user, at=request.at, **position.model_dump())
    await request.emit(events.TRACKING_POSITION, message, to=followers_of(request.identity))
    return {"at": message.at}
