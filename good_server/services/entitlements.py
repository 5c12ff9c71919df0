"""Decides who may join a topic room. Replace this module with a query to your database."""

from ..roles import Identity


class TokenEntitlements:
    """Default entitlements: a user may join the rooms named in the token.

    A class of your own can ask your database whether a user may join `job:17`. It need not store who is in the room:
    Socket.IO does that.
    """

    async def may_join(self, identity: Identity, room: str) -> bool:
        """Return whether the identity's token names `room`."""
        return room in identity.topic_rooms
