"""Tests of servers whose Redis needs a password and TLS.

A server needs only the URL of this Redis. With wrong credentials it runs without Redis.
"""

import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ..redis import RealRedis
from ..stand_in import NOTE_RECEIVED, NOTE_SEND

PASSWORD = "a-password-of-this-test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A folder with a self-signed certificate and its key for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis of a test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    for file in ("ca.pem", "server.pem"):
        (folder / file).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    unencrypted = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *unencrypted))
    return folder


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
