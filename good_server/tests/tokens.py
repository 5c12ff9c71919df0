"""Valid and forged tokens, and the keys that sign them."""

import base64
import json
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ..auth import make_token
from ..roles import Role
from ..settings import Settings
from .stand_in import PLAIN

LIFE_SECONDS = 600
# a production secret, and the settings of a server that uses it
SECRET = "k7Qz-0f9bL2mXwT4sVh8RyJ1nCdGeAuP"
PRODUCTION = {"env": "production", "jwt_secret": SECRET}
PRODUCTION_ENVIRONMENT = {f"SERVER_{name.upper()}": value for name, value in PRODUCTION.items()}


def token(settings, user, role=PLAIN, *, clock=time.time, **claims):
    """Return a valid token for servers with these settings."""
    return make_token(settings, user, Role(role), clock=clock, **claims)


def production_token(user, role=PLAIN, **claims):
    """Return a valid token for servers with the production secret."""
    return token(Settings(jwt_secret=SECRET, _env_file=None), user, role, **claims)


def signed(settings, now, *, key=None, algorithm="HS256", headers=None, **changes):
    """Return a signed token with changed claims.

    PyJWT does not check the claims. The value None removes a claim.
    """
    claims = {"iss": settings.jwt_issuer, "aud": settings.jwt_audience[0], "sub": "ana", "role": PLAIN}
    claims |= {"iat": int(now), "exp": int(now) + LIFE_SECONDS} | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    headers = {"typ": settings.jwt_type[0]} | (headers or {})
    return jwt.PyJWS().encode(json.dumps(kept).encode(), key or settings.secret, algorithm=algorithm, headers=headers)


def encoded(data):
    """Encode bytes or a JSON value in base64, as tokens do."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def with_header(token, **header):
    """Return the token with another header and an unchanged signature."""
    return ".".join([encoded({"typ": "at+jwt"} | header), *token.split(".")[1:]])


def hmac_with_public_key(payload, public_key):
    """Return a forged token, signed with the public key as HMAC secret.

    PyJWT refuses to make such a token.
    """
    message = f"{encoded({'alg': 'HS256', 'typ': 'at+jwt'})}.{payload}"
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return f"{message}.{encoded(signature.sign(message.encode(), public_key.encode()))}"


def new_keys():
    """Return new RSA keys: private PEM, public PEM, public JWK."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode()
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    return private, public, jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
