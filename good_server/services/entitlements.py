"""Decides who may join a topic room, such as `job:17`. Replace this module with a query to your database."""

from ..roles import Identity


class TokenEntitlements:
    """Default entitlements: a user may join topic rooms named in the token.

    A topic room is a room such as `job:17`. Your own class can ask your database whether a user may join a room. Your
    database need not store who is in the room, because Socket.IO stores the members.
    """

    async def may_join(self, identity: Identity, room: str) -> bool:
        """Return whether the identity's token names `room`."""
        return room in identity.topic_rooms
