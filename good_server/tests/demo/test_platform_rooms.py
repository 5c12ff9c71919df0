"""Tests that a refused room name creates no room on the platform."""

import json

import pytest

from ..wire import bare

UNLIMITED = {"events_per_second": 1e9, "chat_per_second": 1e9}


@pytest.mark.pace
async def test_no_room_is_created_for_a_refused_name(serve, connect):
    server = await serve(**UNLIMITED)
    bob = await connect("bob", to=server, rooms=["job:17"])
    malformed = ["job:", "job:" + "x" * 33, "job:a b", "", "JOB:17", "job:17\n", bob.sio.get_sid()]
    others = ["job:17", "job:18", "user:bob", "role:admin", "company:acme"]
    async with bare(server.url, server.token("ana")) as ana:
        before = set(server.sio.manager.rooms["/"])
        for number, room in enumerate(malformed + others, start=10):
            ana.send(f"42{number}{json.dumps(['room:join', {'room': room}])}")
        acks = [await ana.ack(number) for number in range(10, 10 + len(malformed + others))]
        assert set(server.sio.manager.rooms["/"]) == before
    codes = [ack["error"]["code"] for ack in acks]
    assert codes == ["invalid"] * len(malformed) + ["forbidden"] * len(others)
    await server.sio.emit("news", 1, room=["user:bob"])
    assert await bob.receives("news") == 1
    assert server.members("job:17") == 1
