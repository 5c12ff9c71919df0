"""Decides who may join a topic room, such as `job:17`. Replace this module with a query to your database."""

from ..roles import Identity


class TokenEntitlements:
    """Default permission check: a token names the rooms its user may join.

    These are topic rooms, such as `job:17`. Your own class can ask your database instead. Your database need not store
    who is in a room, because Socket.IO stores the members.
    """

    async def may_join(self, identity: Identity, room: str) -> bool:
        """Return whether the identity's token names `room`."""
        return room in identity.topic_rooms
