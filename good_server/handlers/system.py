"""System events: an admin's announcement, to everyone or to named roles."""

import secrets
from typing import Any

from .. import events
from ..events import Sender, SystemAnnounce, SystemAnnouncement
from ..gateway import Request, Route
from ..roles import Role
from ..rooms import everyone, role_room


def routes() -> tuple[Route, ...]:
    """Admins alone announce."""
    return (Route(events.SYSTEM_ANNOUNCE, SystemAnnounce, announce, roles=frozenset({Role.ADMIN})),)


async def announce(request: Request, notice: SystemAnnounce) -> dict[str, Any]:
    """A true broadcast still names its rooms; the sender's own role hears it like any other."""
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
