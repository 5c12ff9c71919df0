"""What the tests of rows 1 to 17, 24, 27 to 30, 36 and 37 share: tokens nobody should take, and the innocent bystander.

A check is a function. Its test runs it against the server as it is; its conviction runs it against a server whose
defence was taken away, and shows that it fails and why.
"""

import json

import jwt

AT_ONCE_SECONDS = 1.0
LIFE_SECONDS = 600
PATH = "/socket.io/?EIO=4&transport=websocket"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def signed(server, *, key=None, algorithm="HS256", headers=None, **changes):
    """A token of good claims, changed; a change to None takes the claim away. PyJWT's own checks are passed by."""
    settings, now = server.settings, int(server.application.clock())
    claims = {"iss": settings.jwt_issuer, "aud": settings.jwt_audience, "sub": "ana", "role": "vendor"}
    claims |= {"iat": now, "exp": now + LIFE_SECONDS} | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    headers = {"typ": settings.jwt_type} | (headers or {})
    return jwt.PyJWS().encode(json.dumps(kept).encode(), key or settings.secret, algorithm=algorithm, headers=headers)


async def notices_nothing(server, bob):
    """The bystander is still served, and heard nothing but what it sees now: the fence."""
    ack = await bob.ask("chat:send", {"to": "nobody", "text": "note"})
    assert ack["ok"], "the bystander is not served"
    assert await server.fence(bob) == [[]], "the bystander heard something"


async def is_refused(server, wire, auth, code="unauthorized"):
    """The wire says CONNECT with `auth`, and gets the code, no room and a closed transport."""
    await wire.send("40" + json.dumps(auth))
    answer = await wire.frame() or "closed without a word"
    assert answer.startswith("44"), f"was not refused: {answer}"
    assert json.loads(answer[2:])["data"]["code"] == code, f"was refused otherwise: {answer}"
    assert await wire.is_closed()
    assert server.members("user:ana") == 0, "is in a room"


async def upgraded(http, server, *, path=PATH, **headers):
    """The status and headers that an upgrade gets; the connection is given up."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.get(server.url + path, headers=UPGRADE | named, allow_redirects=False) as answer:
        if answer.status == 101:
            answer.close()
        return answer.status, answer.headers
