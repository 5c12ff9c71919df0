"""Session: a client replaces its token without a new connection."""

from typing import Any

from .. import events
from ..auth import TokenAuth
from ..errors import Unauthorized
from ..events import AuthRefresh, SessionExtended
from ..gateway import Request, Route
from ..roles import Identity
from ..rooms import Entitlements, base_rooms, is_topic_room


def routes(auth: TokenAuth, entitlements: Entitlements) -> tuple[Route, ...]:
    """Return the route of `auth:refresh`.

    `auth` verifies the new token, which may name another role or company, but not another user.
    """

    async def refresh(request: Request, fresh: AuthRefresh) -> dict[str, Any]:
        identity = await auth.identify({"token": fresh.token})
        if identity.user != request.identity.user:
            raise Unauthorized("the new token is somebody else's")
        await move(request, identity, entitlements)
        return {"expires_at": round(identity.expires_at * 1000)}

    return (Route(events.AUTH_REFRESH, AuthRefresh, refresh, answer=SessionExtended, after_expiry=True),)


async def move(request: Request, identity: Identity, entitlements: Entitlements) -> None:
    """Move a socket to the rooms of its new identity."""
    lost = set(base_rooms(request.identity)) - set(base_rooms(identity))
    for room in filter(is_topic_room, request.rooms()):
        if not (room in identity.topic_rooms or await entitlements.may_join(identity, room)):
            lost.add(room)
    for room in lost:
        await request.leave(room)
    for room in base_rooms(identity):
        await request.join(room)
    await request.become(identity)
