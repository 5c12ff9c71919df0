"""Checks of the settings that contain secrets and keys."""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from pydantic import SecretStr

# published on purpose: it lets a newcomer start with no setting at all, and is refused in production
DEVELOPMENT_SECRET = "development-only-secret-known-to-everyone"  # noqa: S105 - a secret that keeps nothing
# RFC 7518, 3.2: an HMAC key is at least as long as the hash
HMAC_KEY_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
# as long as the shortest HMAC key
PUBLISH_TOKEN_BYTES = 32
PUBLIC_KEY_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES256K", "ES384", "ES512", "EdDSA"}
)
PLACEHOLDERS = ("changeme", "change-me", "change_me", "placeholder", "your-secret", "secret-here", "replace")
PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.+-----END [A-Z0-9 ]+-----\s*", re.DOTALL)


def is_published(secret: str) -> bool:
    """Return whether a secret is one that everybody may know.

    True for `DEVELOPMENT_SECRET`, which is in the source code, and for a placeholder such as `changeme`.
    """
    return secret == DEVELOPMENT_SECRET or any(word in secret.lower() for word in PLACEHOLDERS)


def with_line_breaks(key: str) -> str:
    r"""Return a public key in PEM with real line breaks.

    Environment files often contain `\n`, a backslash and an n, in place of a line break. Each `\n` is replaced. This is
    safe, because PEM itself has no backslash.
    """
    return key.replace("\\r", "").replace("\\n", "\n")


def check_algorithms(algorithms: Sequence[str], *, has_public_key: bool) -> None:
    """Raise `ValueError` if `SERVER_JWT_ALGORITHMS` do not fit the kind of key.

    Algorithms for a public key must be asymmetric, such as `RS256`. Algorithms for a secret must be HMAC, such as
    `HS256`. An empty list is not valid.
    """
    # a public key must never be usable as an HMAC secret: RFC 8725, 3.1
    fitting = PUBLIC_KEY_ALGORITHMS if has_public_key else HMAC_KEY_BYTES.keys()
    if not algorithms or set(algorithms) - fitting:
        raise ValueError("SERVER_JWT_ALGORITHMS must be HS* with a secret, or asymmetric ones with a public key")


def check_secret(secret: str, algorithms: Sequence[str], *, is_production: bool) -> None:
    """Raise `ValueError` if `SERVER_JWT_SECRET` is too short for `algorithms`.

    In production, also raise `ValueError` if the secret is `DEVELOPMENT_SECRET` or looks like a placeholder.
    """
    if is_production and is_published(secret):
        raise ValueError("SERVER_JWT_SECRET is a published or placeholder value: production needs one of its own")
    least = max(HMAC_KEY_BYTES[name] for name in algorithms)
    if len(secret.encode()) < least:
        raise ValueError(f"SERVER_JWT_SECRET is shorter than the {least} bytes that its algorithm needs")


def check_public_key(text: str, algorithms: tuple[str, ...]) -> None:
    """Raise `ValueError` if `text` is not a public key for these algorithms."""
    # here, as most servers have no such key and the import is heavy
    import jwt

    for name in algorithms:
        algorithm = jwt.get_algorithm_by_name(name)
        try:
            key = algorithm.prepare_key(text)
            is_short = algorithm.check_key_length(key) is not None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise ValueError(f"SERVER_JWT_PUBLIC_KEY {_fault(text) or f'is not a public key for {name}'}") from None
        # only a private key has a public half
        if hasattr(key, "public_key"):
            raise ValueError("SERVER_JWT_PUBLIC_KEY is a private key: set its public half, or all may sign")
        if is_short:
            raise ValueError(f"SERVER_JWT_PUBLIC_KEY is too short for {name}")


def check_key_set(url: str | None, headers: Sequence[tuple[str, SecretStr]], *, is_production: bool) -> None:
    """Raise `ValueError` if the token issuer's keys cannot be fetched safely.

    `url` is `SERVER_JWT_JWKS_URL`, and `headers` are sent with each request to it. In production, `url` must be an
    https address, or an http address of this machine. If `url` is None, no keys are fetched, and only `headers` are
    checked.
    """
    if any(not value.get_secret_value().isprintable() for _, value in headers):
        raise ValueError("SERVER_JWT_JWKS_HEADERS must be lines like `Name: value`, separated by commas")
    if url is None:
        return
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError("SERVER_JWT_JWKS_URL must be an http or https address")
    if parts.username is not None:
        raise ValueError("SERVER_JWT_JWKS_URL must hold no password: use SERVER_JWT_JWKS_HEADERS")
    # the keys on their way could be replaced, and then anybody could sign tokens
    if is_production and parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("SERVER_JWT_JWKS_URL must be an https address in production")


def check_publish_token(token: SecretStr | None, *, is_production: bool) -> None:
    """Raise `ValueError` if `SERVER_PUBLISH_TOKEN` is not valid.

    With this token, a back end may send events to clients over HTTP, through `SERVER_INTERNAL_PORT`. The token must be
    ASCII characters without spaces. In production, it must also have at least `PUBLISH_TOKEN_BYTES` bytes, and must not
    be a placeholder. None is valid: then no back end may send events over HTTP.
    """
    if token is None:
        return
    text = token.get_secret_value()
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("SERVER_PUBLISH_TOKEN must be ASCII characters without spaces")
    if is_production and is_published(text):
        raise ValueError("SERVER_PUBLISH_TOKEN is a published or placeholder value: production needs one of its own")
    if is_production and len(text) < PUBLISH_TOKEN_BYTES:
        raise ValueError(f"SERVER_PUBLISH_TOKEN is shorter than {PUBLISH_TOKEN_BYTES} bytes")


def is_loopback(host: str) -> bool:
    """Return whether `host` names this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _fault(text: str) -> str | None:
    """Return why a text is not a public key in PEM.

    Return None if the text has the form of PEM. The reason does not quote the text, because the text
    may be a private key.
    """
    if "CERTIFICATE" in text:
        return "is a certificate: set its key, from openssl x509 -pubkey -noout"
    if not PEM.fullmatch(text):
        return "must be the text of the key, not the name of its file: all from -----BEGIN to the end of -----END"
    return None
