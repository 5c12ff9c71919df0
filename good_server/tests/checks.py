"""Checks that several tests of `WITHSTANDS.md` share.

A check is a function that asserts a promise of `WITHSTANDS.md`. One test runs it against the server as it is. Another
test runs it against a server without the defence, and expects that the check fails.
"""

import json

from .. import events
from ..rooms import user_room
from .stand_in import topic

AT_ONCE_SECONDS = 1.0


async def notices_nothing(server, bob):
    """Assert that the uninvolved user bob is served and received no message."""
    assert await is_served(bob), "the bystander is not served"
    assert await server.fence(bob) == [[]], "the bystander received something"


async def is_served(bob):
    """Return whether the server accepts a `room:leave` event of this client."""
    return (await bob.ask(events.ROOM_LEAVE, {"room": topic("none")}))["ok"]


async def still_gets_messages(server, bob):
    """Return whether bob is still served and still receives a message."""
    accepted = await is_served(bob)
    await server.sio.emit("news", 1, room=[user_room("bob")])
    return accepted and await bob.receives("news") == 1


async def is_refused(server, wire, auth, code="unauthorized"):
    """Assert that the server refuses this CONNECT packet with the code `code`.

    Afterwards its WebSocket is closed, and the user ana is in no room.
    """
    await wire.send("40" + json.dumps(auth))
    answer = await wire.frame() or "closed without an answer"
    assert answer.startswith("44"), f"was not refused: {answer}"
    assert json.loads(answer[2:])["data"]["code"] == code, f"was refused otherwise: {answer}"
    assert await wire.is_closed()
    assert server.members(user_room("ana")) == 0, "is in a room"


async def is_turned_away(server, wire, auth):
    """Assert that the server refuses this CONNECT packet for now.

    It closes the transport without an answer. After a CONNECT_ERROR a standard client would never come back.
    """
    await wire.send("40" + json.dumps(auth))
    answer = await wire.frame()
    assert answer is None, f"was answered: {answer}"
    assert server.members(user_room("ana")) == 0, "is in a room"
