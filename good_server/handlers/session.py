"""Handler of `auth:refresh`: a client replaces its token without a new connection."""

from typing import Any

from .. import events
from ..authenticator import ManagedAuthenticator
from ..errors import Invalid, Unauthorized
from ..events import AuthRefresh, SessionExtended
from ..gateway import Request, Route
from ..roles import Identity
from ..rooms import Entitlements, base_rooms, is_topic_room


def routes(auth: ManagedAuthenticator, entitlements: Entitlements) -> tuple[Route, ...]:
    """Return the route of `auth:refresh`: the event with its handler and checks.

    A client sends `auth:refresh` with a new token. `auth` verifies the new token. The role or company in this token may
    be new, but the user must be the same. `entitlements` decides which topic rooms (rooms that clients may join and
    leave) the user may stay in. If `auth` returns an identity without an expiry (for example, because a cookie
    identifies the user), the event is refused.
    """

    async def refresh(request: Request, fresh: AuthRefresh) -> dict[str, Any]:
        identity = await auth.identify({"token": fresh.token}, await request.http())
        if identity.expires_at is None:
            raise Invalid("this session does not expire: there is nothing to refresh")
        if identity.user != request.identity.user:
            raise Unauthorized(reason="other_user")
        await request.check_denials(identity)
        await move(request, identity, entitlements)
        return {"expires_at": round(identity.expires_at * 1000)}

    return (Route(events.AUTH_REFRESH, AuthRefresh, refresh, answer=SessionExtended, after_expiry=True),)


async def move(request: Request, identity: Identity, entitlements: Entitlements) -> None:
    """Move a socket to the rooms of its new identity.

    `entitlements` decides who may be in which topic room (a room that clients may join and leave). If the role or
    company changes, the socket first leaves all rooms that the new token does not grant. Then `entitlements` decides
    which topic rooms the socket joins again. So a user who has lost a role cannot stay in the old rooms during a slow
    or failed check. In the end, the socket is only in topic rooms that the new token or `entitlements` allows. It also
    joins the rooms that `entitlements.rooms_of` names.
    """
    before = request.identity
    topics = {room for room in request.rooms() if is_topic_room(room)}
    to_ask = topics - set(identity.topic_rooms)
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
        entitled = await request.entitled_rooms(identity, besides=topics)
        confirmed.update(entitled)
        for room in to_ask - confirmed:
            if await entitlements.may_join(identity, room):
                confirmed.add(room)
    finally:
        for room in kept - confirmed:
            await request.leave(room)
    for room in confirmed - kept:
        await request.join(room)
