"""Entitlement services that tests use instead of the product's service."""

import asyncio


class Everything:
    """An entitlement service that lets every user join every topic room."""

    async def may_join(self, identity, room):
        return True


class Stuck:
    """An entitlement service that never answers."""

    async def may_join(self, identity, room):
        await asyncio.Event().wait()


class Broken:
    """An entitlement service that fails with an error. Nobody may see the message of this error."""

    def __init__(self, message):
        self.message = message

    async def may_join(self, identity, room):
        raise RuntimeError(self.message)


class Gate:
    """An entitlement service that answers once `answer` is set."""

    def __init__(self):
        self.is_asked, self.answer, self.is_allowed = asyncio.Event(), asyncio.Event(), True

    async def may_join(self, identity, room):
        self.is_asked.set()
        await self.answer.wait()
        return self.is_allowed


class Orders(Everything):
    """An entitlement service that names rooms to join at connect.

    `names` are these rooms. While `error` is set, it is raised; while `is_stuck`, there is no answer.
    """

    def __init__(self, *names):
        self.names, self.error, self.is_stuck = list(names), None, False
        self.asked = []

    async def may_join(self, identity, room):
        return False

    async def rooms_of(self, identity):
        self.asked.append(identity)
        if self.is_stuck:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return iter(self.names)
