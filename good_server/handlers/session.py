"""Handler of `auth:refresh`: a client replaces its token without a new connection."""

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

    `auth` verifies the new token. This token may name another role or company, but not another user. `entitlements`
    decides which topic rooms the user may stay in.
    """

    async def refresh(request: Request, fresh: AuthRefresh) -> dict[str, Any]:
        identity = await auth.identify({"token": fresh.token})
        if identity.user != request.identity.user:
            raise Unauthorized(reason="other_user")
        await move(request, identity, entitlements)
        return {"expires_at": round(identity.expires_at * 1000)}

    return (Route(events.AUTH_REFRESH, AuthRefresh, refresh, answer=SessionExtended, after_expiry=True),)


async def move(request: Request, identity: Identity, entitlements: Entitlements) -> None:
    """Move a socket to the rooms of its new identity.

    If the role or company changes, the socket leaves its old rooms before `entitlements` is asked: a slow or failed
    check must not keep a demoted user in them. In the end, the socket is only in topic rooms that the new token
    or `entitlements` allows.
    """
    before = request.identity
    to_ask = {room for room in request.rooms() if is_topic_room(room)} - set(identity.topic_rooms)
    # with the same rights a socket keeps the rooms that no token granted, so that it misses no message meanwhile
    is_unchanged = (before.role, before.company) == (identity.role, identity.company)
    kept = to_ask - set(before.topic_rooms) if is_unchanged else set()
    for room in (set(base_rooms(before)) - set(base_rooms(identity))) | (to_ask - kept):
        await request.leave(room)
    await request.become(identity)
    for room in base_rooms(identity):
        await request.join(room)
    confirmed: set[str] = set()
    try:
        for room in to_ask:
            if await entitlements.may_join(identity, room):
                confirmed.add(room)
    finally:
        for room in kept - confirmed:
            await request.leave(room)
    for room in confirmed - kept:
        await request.join(room)
