"""Tests that an emit without a room is refused, on both paths."""

import asyncio

import pytest

from ...rooms import named_rooms, user_room
from ..servers import DELIVERIES

NO_ROOMS = [None, "", (), [], {}, 0, True, [None], [""], [user_room("ana"), ""], [user_room("ana"), None], [[]]]


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("name", ["room", "to"])
async def test_row_52_an_emit_without_a_room_is_refused(serve, connect, delivery, name):
    server = await serve(delivery=delivery)
    ana = await connect("ana", to=server)
    for target in NO_ROOMS:
        with pytest.raises(ValueError, match="needs rooms"):
            await server.sio.emit("forged", "x", **{name: target})
        with pytest.raises(ValueError, match="needs rooms"):
            await server.sio.emit("forged", "x", **{name: target}, callback=lambda: None)
    with pytest.raises(ValueError, match="needs rooms"):
        await server.sio.send("x")
    await server.sio.emit("good", "x", **{name: user_room("ana")})
    assert await asyncio.wait_for(ana.inbox.get(), 10) == ("good", "x")


def test_named_rooms_are_a_list():
    assert named_rooms("a") == ["a"]
    assert named_rooms(("a", "b")) == ["a", "b"]
