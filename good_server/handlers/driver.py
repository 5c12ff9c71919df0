"""Drivers: the role-specific handler of their availability."""

from typing import Any

from .. import events
from ..events import DriverStatus, DriverStatusChanged, Noted
from ..gateway import Request, Route
from ..roles import Role
from ..rooms import followers_of


def routes() -> tuple[Route, ...]:
    """Return the route of the status, which only drivers have."""
    return (Route(events.DRIVER_STATUS, DriverStatus, change, answer=Noted, roles=frozenset({Role.DRIVER})),)


async def change(request: Request, change: DriverStatus) -> dict[str, Any]:
    """Send the new status to the followers of the driver."""
    message = DriverStatusChanged(driver=request.identity.user, status=change.status, at=request.at)
    await request.emit(events.DRIVER_STATUS_CHANGED, message, to=followers_of(request.identity))
    return {"at": message.at}
