"""Fetches an issuer's public keys: its JSON Web Key Set (RFC 7517)."""

import json
import ssl
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt

from .dns import ThreadResolver
from .settings import Settings, is_loopback

FETCH_SECONDS = 5.0
# a set has a few keys of about 1 KiB
MOST_BYTES = 256 * 1024
CHUNK_BYTES = 16 * 1024


class FetchError(Exception):
    """The key set could not be fetched. `cause` is a short reason, such as `timeout`, for the log and metrics."""

    def __init__(self, cause: str, detail: str = "") -> None:
        super().__init__(cause, detail)
        self.cause = cause
        self.detail = detail


def create_session(settings: Settings) -> aiohttp.ClientSession:
    """Return the HTTP client that fetches the issuer's public keys.

    The client sends the headers of `SERVER_JWT_JWKS_HEADERS`.
    """
    host = urlsplit(settings.jwt_jwks_url or "").hostname or ""
    return aiohttp.ClientSession(
        # a connection that is kept would be to the old address after a failover
        connector=aiohttp.TCPConnector(resolver=ThreadResolver(), force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=[(name, value.get_secret_value()) for name, value in settings.jwt_jwks_headers],
        timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS),
        # the proxy of the environment, but never to this machine
        trust_env=not is_loopback(host),
    )


async def fetch_keys(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """Fetch a key set (JWKS), and return its signature keys by `kid`.

    Raises `FetchError` if the fetch fails or the set has no usable key.
    """
    try:
        # a redirect could lead from https to http, or to an address of an attacker
        async with session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise FetchError("status", str(response.status))
            keys = keys_of(json.loads(await _body(response)))
    except TimeoutError:
        raise FetchError("timeout") from None
    except (aiohttp.ClientSSLError, ssl.SSLError) as error:
        raise FetchError("certificate", type(error).__name__) from None
    except (aiohttp.ClientError, OSError) as error:
        raise FetchError("unreachable", type(error).__name__) from None
    except (ValueError, RecursionError):
        raise FetchError("malformed") from None
    if not keys:
        raise FetchError("no_keys")
    return keys


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > MOST_BYTES:
            raise FetchError("too_large")
    return body


def keys_of(document: Any) -> dict[str, Any]:
    """Return the usable public keys of a key set (JWKS), by `kid`.

    Keys that PyJWT cannot read are skipped. Raises `ValueError` if `document` is not a key set.
    """
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise ValueError("this is no key set")
    keys: dict[str, Any] = {}
    for member in members:
        if not isinstance(member, dict) or member.get("use", "sig") != "sig":
            continue
        key_id = member.get("kid")
        # the secret of an HMAC is no public key
        if not isinstance(key_id, str) or not key_id or member.get("kty") == "oct":
            continue
        try:
            keys.setdefault(key_id, jwt.PyJWK(member).key)
        except (jwt.PyJWTError, ValueError, TypeError, LookupError, AttributeError):
            # one key of a kind that this server does not know must not hide the others
            continue
    return keys
