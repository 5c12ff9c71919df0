"""Answers for who may be in a topic room: the place to plug in your own database."""

from ..roles import Identity


class TokenEntitlements:
    """The default: the token grants its rooms and nothing else does.

    Yours asks your database whether a user may be in `job:17`. It never records who *is* in it: Socket.IO knows.
    """

    async def may_join(self, identity: Identity, room: str) -> bool:
        """Whether the identity's token names the room."""
        return room in identity.topic_rooms
