"""Entitlement services of the tests, in place of the product's."""

import asyncio


class Everything:
    """Entitles all users to all topic rooms."""

    async def may_join(self, identity, room):
        return True


class Stuck:
    """Never answers."""

    async def may_join(self, identity, room):
        await asyncio.Event().wait()


class Broken:
    """Fails with an error whose message is confidential."""

    def __init__(self, message):
        self.message = message

    async def may_join(self, identity, room):
        raise RuntimeError(self.message)
