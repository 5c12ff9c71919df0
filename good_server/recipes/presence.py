"""Presence: which users are online, and when each was last seen.

A user who disconnects stays online for a grace period. If the user reconnects within this time, no event is sent. A
client sends `presence:watch` to be told when some users go online or offline; the ack contains the present states of
these users. After a reconnect, the client must send `presence:watch` again.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from ..app import Parts
from ..background import Background
from ..errors import Busy, Forbidden
from ..gateway import Gateway, Request, Route
from ..roles import Identity
from . import events
from .conversations import is_presence_room, presence_room
from .events import PresenceChanged, PresenceWatch, Watched
from .leases import Leases, LeasesUnavailable, LocalLeases

# longer than the first reconnects of standard clients, which wait 1 to 5 s
GRACE_SECONDS = 15.0
# how often ended leases are looked for
SWEEP_SECONDS = 1.0
# users in one call of Redis
RENEW_AT_ONCE = 1000

MayWatch = Callable[[Identity, str], Awaitable[bool]]


async def anyone(identity: Identity, user: str) -> bool:
    """Return True: every user may see whether any other user is online."""
    return True


def create_leases(parts: Parts, grace_seconds: float) -> Leases:
    """Create the store of leases, which tell which users are online.

    A lease ends, and its user goes offline, `grace_seconds` after the last renewal. The store is in Redis if the server
    uses Redis, and otherwise in memory.
    """
    if parts.link is None:
        return LocalLeases(grace_seconds, parts.guards.clock)
    from .redis_leases import RedisLeases

    return RedisLeases(grace_seconds, parts.link)


class Presence:
    """Tracks which users are online. It is a service that starts and stops with the server.

    A user goes offline about `grace_seconds` after the last socket of the user has closed. The same is true if a
    server process is killed: its sockets then count as closed. `await may_watch(identity, user)` returns whether the
    client with this identity is allowed to see whether `user` is online.
    """

    def __init__(self, parts: Parts, *, grace_seconds: float = GRACE_SECONDS, may_watch: MayWatch = anyone) -> None:
        self._grace_seconds = grace_seconds
        self._may_watch = may_watch
        self._background = Background(parts.guards.metrics)
        self._leases = create_leases(parts, grace_seconds)
        self._gateway: PresenceGateway | None = None

    def use(self, gateway: "PresenceGateway") -> None:
        """Set the gateway whose users are tracked.

        A gateway handles the sockets of one Socket.IO namespace. Clients in this namespace can be told who goes online
        or offline.
        """
        self._gateway = gateway

    async def start(self) -> None:
        """Start tasks that keep connected users online, and announce who went offline."""
        self._leases.start()
        self._background.repeat("presence renewal", self._grace_seconds / 3, self.renew_all)
        self._background.repeat("presence sweep", SWEEP_SECONDS, self.sweep)

    async def stop(self) -> None:
        """Stop the tasks that keep connected users online and announce changes."""
        await self._background.stop()

    async def came(self, user: str) -> None:
        """Keep `user`, who has just connected, online for the next grace period.

        If the user was offline, those who watch the user are told that the user is online.
        """
        with suppress(LeasesUnavailable):
            now, new = await self._leases.renew([user])
            if user in new:
                await self._announce(PresenceChanged(user=user, online=True, at=now))

    async def went(self, user: str) -> None:
        """Keep `user` online for the grace period, after a socket was closed."""
        with suppress(LeasesUnavailable):
            await self._leases.renew([user])

    async def renew_all(self) -> None:
        """Keep all users online who are connected to this process."""
        if self._gateway is None:
            return
        sockets = await self._gateway.local_sockets.all()
        users = list(dict.fromkeys(state.identity.user for _, state in sockets))
        with suppress(LeasesUnavailable):
            for start in range(0, len(users), RENEW_AT_ONCE):
                await self._leases.renew(users[start : start + RENEW_AT_ONCE])

    async def sweep(self) -> None:
        """Announce that users are offline when their grace period is over."""
        with suppress(LeasesUnavailable):
            now, ended = await self._leases.end()
            for user, seen in ended:
                await self._announce(PresenceChanged(user=user, online=False, last_seen=seen, at=now))

    async def _announce(self, change: PresenceChanged) -> None:
        if self._gateway is not None:
            await self._gateway.send(events.PRESENCE_CHANGED, change, to=(presence_room(change.user),))

    async def watch(self, request: Request, wanted: PresenceWatch) -> dict[str, Any]:
        """Make the socket of `request` watch the users in `wanted`.

        The socket is then told when one of these users goes online or offline, and no longer about other users. Returns
        the present states of the users in `wanted`, as the ack. The socket joins the presence rooms, which receive the
        changes, before the states are read. So the socket misses no change. Raises `Forbidden` if the client is not
        allowed to watch one of the users. Raises `Busy` while the states cannot be read.
        """
        users = list(dict.fromkeys(wanted.users))
        for user in users:
            if not await self._may_watch(request.identity, user):
                raise Forbidden("not allowed to watch all of these users")
        rooms = {presence_room(user) for user in users}
        for room in request.rooms() - rooms:
            if is_presence_room(room):
                await request.leave(room)
        for room in rooms:
            await request.join(room)
        try:
            states = await self._leases.states(users)
        except LeasesUnavailable:
            raise Busy("presence is not known now; try again later") from None
        found = [
            {"user": user, "online": is_online} | ({} if last_seen is None else {"last_seen": last_seen})
            for user, (is_online, last_seen) in zip(users, states, strict=True)
        ]
        return {"users": found, "at": request.at}

    def routes(self) -> tuple[Route, ...]:
        """Return the route of `presence:watch`: the event with its handler."""
        return (Route(events.PRESENCE_WATCH, PresenceWatch, self.watch, answer=Watched, sends=(PresenceChanged,)),)


class PresenceGateway(Gateway):
    """Handles a namespace, and tells `presence` who connects and disconnects. `presence` tracks who is online."""

    def __init__(self, namespace: str, parts: Parts, routes: tuple[Route, ...], presence: Presence) -> None:
        super().__init__(namespace, parts.guards, routes)
        self._presence = presence
        presence.use(self)

    async def joined(self, request: Request) -> None:
        await super().joined(request)
        await self._presence.came(request.identity.user)

    async def left(self, request: Request) -> None:
        await super().left(request)
        # also when other sockets of the user are still there: two that close at once would each see the other
        await self._presence.went(request.identity.user)
