"""Tests of the user ids of identity providers, with Redis."""

import pytest

from ...events import SESSION_EVICTED
from ...rooms import user_room
from ..stand_in import NOTE_RECEIVED, NOTE_SEND

USERS = ["auth0|507f1f77bcf86cd799439020", "ana+test@example.com", "-.|+@_", "x" * 128]


@pytest.mark.parametrize("user", USERS)
async def test_a_user_id_of_a_provider_works_on_two_servers(two, connect, until, redis, user):
    first, second = await two(sockets_per_user=2)
    here, there = await connect(user, to=first), await connect(user, to=second)
    note = {"to": user, "text": "hello", "id": "n1"}
    ack = await here.ask(NOTE_SEND, note)
    assert (await there.receives(NOTE_RECEIVED))["sender"] == user
    # the same message again, to the other process: the same ack, and no second delivery
    assert await there.ask(NOTE_SEND, note) == ack
    assert await second.fence(there) == [[]]
    # the limit counts the sockets of both servers
    await connect(user, to=second)
    assert await there.receives(SESSION_EVICTED) == {"limit": 2}
    await until(lambda: [server.members(user_room(user)) for server in (first, second)] == [1, 1])
