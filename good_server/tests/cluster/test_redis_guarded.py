"""Tests of servers whose Redis needs a password and TLS.

A server needs only the URL of this Redis. With wrong credentials it runs without Redis.
"""

import pytest

from ..redis import RealRedis
from ..stand_in import NOTE_RECEIVED, NOTE_SEND

PASSWORD = "a-password-of-this-test"


@pytest.mark.parametrize("with_tls", [False, True], ids=["password", "password and TLS"])
async def test_a_redis_with_password_and_tls_carries_messages(serve, connect, until, authority, with_tls):
    with RealRedis(password=PASSWORD, tls=authority if with_tls else None) as redis:
        first, second = [await serve(redis_url=redis.url) for _ in range(2)]
        for server in (first, second):
            await until(lambda server=server: server.application.guards.cluster.link.has_own_heartbeat)
        ana, bob = await connect("ana", to=first), await connect("bob", to=second)
        await ana.ask(NOTE_SEND, {"to": "bob", "text": "hello"})
        assert (await bob.receives(NOTE_RECEIVED))["text"] == "hello"
        for server in (first, second):
            await server.ended()


async def test_a_wrong_redis_password_is_in_no_log(serve, connect, capfd):
    with RealRedis(password=PASSWORD) as redis:
        server = await serve(redis_url=redis.url.replace(PASSWORD, "another-word"))
        assert server.application.guards.cluster.link.state == "down"
        assert (await connect("ana", to=server)).sio.connected
        await server.ended()
    log = "".join(capfd.readouterr())
    assert "redis is unavailable" in log or "redis subscription lost" in log
    assert "another-word" not in log
    assert PASSWORD not in log


async def test_a_certificate_of_an_unknown_authority_is_refused(serve, authority):
    with RealRedis(tls=authority) as redis:
        # without `ssl_ca_certs` only the system's authorities are trusted
        server = await serve(redis_url=redis.url.partition("?")[0])
        assert server.application.guards.cluster.link.state == "down"
        await server.ended()
