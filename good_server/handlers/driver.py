"""Handler of `driver:status`, an event that only drivers may send."""

from typing import Any

from .. import events
from ..events import DriverStatus, DriverStatusChanged, Noted
from ..gateway import Request, Route
from ..roles import Role
from ..rooms import followers_of


def routes() -> tuple[Route, ...]:
    """Return the route of `driver:status`: the event with its handler and checks. Only drivers may send it."""
    return (Route(events.DRIVER_STATUS, DriverStatus, change, answer=Noted, roles=frozenset({Role.DRIVER})),)


async def change(request: Request, change: DriverStatus) -> dict[str, Any]:
    """Send a driver's new status to the driver's company and all admins. Return the `data` of the ack."""
    message = DriverStatusChanged(driver=request.identity.user, status=change.status, at=request.at)
    await request.emit(events.DRIVER_STATUS_CHANGED, message, to=followers_of(request.identity))
    return {"at": message.at}
