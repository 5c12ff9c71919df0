"""Checks that the tests of several rows share.

A check is a function. One test runs it against the server as it is. Another one runs it against a server without the
defence, and shows that the check fails and why.
"""

import json

AT_ONCE_SECONDS = 1.0


async def notices_nothing(server, bob):
    """Assert that the bystander is still served, and received only the fence."""
    ack = await bob.ask("chat:send", {"to": "nobody", "text": "note"})
    assert ack["ok"], "the bystander is not served"
    assert await server.fence(bob) == [[]], "the bystander heard something"


async def still_gets_messages(server, bob):
    """Whether the bystander is still connected and still gets a message."""
    ack = await bob.ask("chat:send", {"to": "bob", "text": "note"})
    await server.sio.emit("news", 1, room=["user:bob"])
    return ack["ok"] and await bob.hears("news") == 1


async def is_refused(server, wire, auth, code="unauthorized"):
    """Assert that CONNECT gets this code. The wire is in no room and is closed."""
    await wire.send("40" + json.dumps(auth))
    answer = await wire.frame() or "closed without a word"
    assert answer.startswith("44"), f"was not refused: {answer}"
    assert json.loads(answer[2:])["data"]["code"] == code, f"was refused otherwise: {answer}"
    assert await wire.is_closed()
    assert server.members("user:ana") == 0, "is in a room"
