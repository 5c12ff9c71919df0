"""A real issuer of tokens, whose behaviour a test can switch."""

import asyncio
import json
from contextlib import asynccontextmanager
from functools import cache

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from .ports import lasting_port

ALGORITHM = "ES256"


@cache
def private_key(key_id):
    """Return the private key with this `kid`. Every issuer has the same one."""
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key_id, **changes):
    """Return the public half as a JSON Web Key."""
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(private_key(key_id).public_key(), as_dict=True)
    return jwk | {"kid": key_id, "use": "sig", "alg": ALGORITHM} | changes


class Issuer:
    """Publishes a key set and signs tokens.

    `status` and `text` are its answer. While `is_slow`, it does not answer at all.
    """

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/keys"
        # the headers of each request
        self.asked = []
        self.status, self.text, self.is_slow = 200, "", False
        self._port, self._runner, self._left = port, None, asyncio.Event()
        self.publish("one")

    @property
    def settings(self):
        """The settings of a server that accepts this issuer's tokens."""
        return {"jwt_jwks_url": self.url, "jwt_algorithms": ALGORITHM}

    def publish(self, *key_ids):
        """Publish these keys, and no others."""
        self.text = json.dumps({"keys": [public_jwk(key_id) for key_id in key_ids]})

    def token(self, server, user="ana", *, key_id="one", **changes):
        """Return a token for `server`, signed with the key `key_id`."""
        headers = {"kid": key_id}
        return server.signed(key=private_key(key_id), algorithm=ALGORITHM, headers=headers, sub=user, **changes)

    async def come(self):
        """Listen on the port."""
        self._left.clear()
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def leave(self):
        """Stop to listen. Later connections are refused by the operating system."""
        self._left.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request):
        self.asked.append(request.headers)
        if self.is_slow:
            await self._left.wait()
        return web.Response(status=self.status, text=self.text, headers={"Location": "/elsewhere"})


@asynccontextmanager
async def running_issuer():
    """Run an issuer during a block, and yield it."""
    issuer = Issuer(lasting_port())
    await issuer.come()
    try:
        yield issuer
    finally:
        await issuer.leave()
