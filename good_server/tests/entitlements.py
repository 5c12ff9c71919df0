"""Entitlement services of the tests, in place of the product's."""

import asyncio


class Everything:
    """Entitles everybody to every topic room."""

    async def may_join(self, identity, room):
        return True


class Stuck:
    """Never answers."""

    async def may_join(self, identity, room):
        await asyncio.Event().wait()


class Broken:
    """Fails with an error that tells too much."""

    def __init__(self, message):
        self.message = message

    async def may_join(self, identity, room):
        raise RuntimeError(self.message)
