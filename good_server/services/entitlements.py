"""Who may be in a topic room: put your database here."""

from ..roles import Identity


class TokenEntitlements:
    """The default entitlements: the rooms that the token grants.

    Yours asks your database whether a user may be in `job:17`. It never records who *is* in it: Socket.IO knows that.
    """

    async def may_join(self, identity: Identity, room: str) -> bool:
        """Whether the token of the identity names the room."""
        return room in identity.topic_rooms
