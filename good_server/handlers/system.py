"""System events: announcements of an admin, to everyone or to some roles."""

import secrets
from typing import Any

from .. import events
from ..events import Sender, Sent, SystemAnnounce, SystemAnnouncement
from ..gateway import Request, Route
from ..roles import Role
from ..rooms import everyone, role_room


def routes() -> tuple[Route, ...]:
    """Return the route of `system:announce`: the event with its handler and checks. Only admins may send it."""
    return (Route(events.SYSTEM_ANNOUNCE, SystemAnnounce, announce, answer=Sent, roles=frozenset({Role.ADMIN})),)


async def announce(request: Request, notice: SystemAnnounce) -> dict[str, Any]:
    """Send an announcement to the rooms of some or all roles.

    The admin who sends the announcement receives it too, if the role admin is among these roles. Return the `data` of
    the ack.
    """
    to = everyone() if notice.roles is None else tuple(role_room(role) for role in notice.roles)
    message = SystemAnnouncement(
        id=secrets.token_hex(16),
        sender=Sender(id=request.identity.user, role=request.identity.role),
        text=notice.text,
        level=notice.level,
        at=request.at,
    )
    await request.emit(events.SYSTEM_ANNOUNCEMENT, message, to=to)
    return {"id": message.id, "at": message.at}
