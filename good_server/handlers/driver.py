"""The role-specific handler: what only drivers say, their availability."""

from typing import Any

from .. import events
from ..events import DriverStatus, DriverStatusChanged
from ..gateway import Request, Route
from ..roles import Role
from ..rooms import followers_of


def routes() -> tuple[Route, ...]:
    """Drivers alone have a status."""
    return (Route(events.DRIVER_STATUS, DriverStatus, change, roles=frozenset({Role.DRIVER})),)


async def change(request: Request, change: DriverStatus) -> dict[str, Any]:
    """Told to those who follow the driver."""
    message = DriverStatusChanged(driver=request.identity.user, status=change.status, at=request.at)
    await request.emit(events.DRIVER_STATUS_CHANGED, message, to=followers_of(request.identity))
    return {"at": message.at}
