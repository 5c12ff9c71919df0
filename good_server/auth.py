"""Authentication: verifies the token of a handshake and returns an `Identity`."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jwt
from aiohttp import web
from pydantic import ValidationError

from .claims import Claims, RoleClaim, has_odd_number, kind_of, names_only, reason_of
from .errors import TokenExpired, Unauthorized
from .roles import Identity, Role
from .settings import Settings

# `Claims` and `names_only` check the other claims, and `_verify` checks the times with the clock that was passed in
OPTIONS: jwt.types.Options = {
    "require": ["iss"],
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class PublishedKeys(Protocol):
    """Protocol for the public keys of a token issuer."""

    @property
    def is_ready(self) -> bool:
        """True when tokens can be verified."""

    @property
    def is_degraded(self) -> bool:
        """True when the issuer cannot be reached. Its keys may then be old."""

    async def start(self) -> None:
        """Start to fetch the keys regularly."""

    async def stop(self) -> None:
        """Stop fetching the keys. A running fetch is cancelled."""

    async def find(self, key_id: str) -> Any:
        """Return the key with this `kid`.

        Raises `Unauthorized` if the issuer has no such key, and `TemporarilyUnavailable` if the issuer cannot be asked.
        """


class TokenAuth:
    """Verifies tokens. It stores no token and no claim.

    Every `Unauthorized` refusal has the same message for the client, except `TokenExpired`. Each refusal also has a
    `reason` for the log: a word in `CLAIM_REASONS` or `ERROR_REASONS`, or `no_token`, `too_long`, `malformed`,
    `algorithm`, `type`, `times`, `expired` or `key`. The `reason` of a `TemporarilyUnavailable` is `keys_away` if the
    issuer's keys cannot be fetched, or `key_pending` if a later fetch may bring the key.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        published: PublishedKeys | None = None,
    ) -> None:
        if settings.jwt_jwks_url is not None and published is None:
            raise ValueError("SERVER_JWT_JWKS_URL needs published keys")
        self._settings = settings
        self._clock = clock
        # keys that the header of a token names are ignored: RFC 8725, 3.10
        self._key = settings.jwt_public_key or settings.secret
        self._published = published
        self._role = RoleClaim(settings)
        self._kinds = frozenset(map(kind_of, settings.jwt_type))
        self._jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})

    @property
    def is_ready(self) -> bool:
        """True when tokens can be verified."""
        return self._published is None or self._published.is_ready

    @property
    def is_degraded(self) -> bool:
        """True when the issuer cannot be reached. Its keys may then be old."""
        return self._published is not None and self._published.is_degraded

    async def start(self) -> None:
        """Start to fetch the issuer's keys regularly, if `SERVER_JWT_JWKS_URL` is set."""
        if self._published is not None:
            await self._published.start()

    async def drain(self) -> None:
        """Stop fetching the issuer's keys. Token checks that wait for a key then fail immediately."""
        await self.stop()

    async def stop(self) -> None:
        """Stop fetching the issuer's keys."""
        if self._published is not None:
            await self._published.stop()

    async def identify(self, auth: Any, request: web.Request | None = None) -> Identity:
        """Verify a token and return its identity. `auth` is `{"token": "<JWT>"}`, and `request` is not used.

        This method accepts a token until `jwt_leeway_seconds` after its expiry, because the clocks of two machines may
        differ. A client that connects after the expiry can send only the event `auth:refresh`. Raises `TokenExpired`
        for a token that expired longer ago, `Unauthorized` for a token that is invalid in another way, and
        `TemporarilyUnavailable` if the issuer's key is not known now.
        """
        token = auth.get("token") if isinstance(auth, dict) else None
        if not isinstance(token, str) or not token:
            raise Unauthorized(reason="no_token")
        if len(token) > self._settings.max_token_bytes:
            raise Unauthorized(reason="too_long")
        if self._published is None:
            return self._verify(token, self._key)
        return self._verify(token, await self._published.find(self._key_id(token)))

    def translated(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the claims with the names and values that the settings describe.

        By default, this is `payload` unchanged. A subclass overrides this method if a provider's tokens have claims
        with names or values that no setting describes. The server verifies the signature, the issuer and the type
        (`typ`) before this call, and the other claims after this call. An override can raise `Unauthorized`.
        """
        return payload

    def _verify(self, token: str, key: Any) -> Identity:
        claims = self._claims(token, key)
        now = self._clock()
        leeway = self._settings.jwt_leeway_seconds
        # a comparison with NaN is false: each of these accepts only when it is true
        if not claims.exp > now - leeway:
            raise TokenExpired(reason="expired")
        has_begun = claims.iat <= now + leeway and claims.nbf <= now + leeway
        # counted from its issue, so that no denied token is accepted again after its denial has ended
        life_seconds = claims.exp - min(now, claims.iat)
        if not (has_begun and life_seconds <= self._settings.token_life_seconds + leeway):
            raise Unauthorized(reason="times")
        return claims.identity(verified_at=now)

    def _claims(self, token: str, key: Any) -> Claims:
        settings = self._settings
        algorithms = list(settings.jwt_algorithms)
        try:
            decoded = self._jwt.decode_complete(
                token, key, algorithms=algorithms, issuer=settings.jwt_issuer, options=OPTIONS
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthorized(reason=reason_of(error)) from None
        if kind_of(decoded["header"].get("typ")) not in self._kinds:
            raise Unauthorized(reason="type")
        payload = self.translated(decoded["payload"])
        if not names_only(payload.get("aud"), settings.jwt_audience):
            raise Unauthorized(reason="audience")
        try:
            claims = Claims.model_validate(payload | {"role": self._role.read(payload)})
        except (ValidationError, ValueError, OverflowError, RecursionError) as error:
            raise Unauthorized(reason=reason_of(error)) from None
        if has_odd_number(decoded["payload"]):
            raise Unauthorized(reason="malformed")
        return claims

    def _key_id(self, token: str) -> str:
        """Return the `kid` of an unverified token. Raises `Unauthorized` if its `kid` or `alg` is not accepted."""
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthorized(reason=reason_of(error)) from None
        # here too, so that a token which is refused anyway causes no fetch
        if header.get("alg") not in self._settings.jwt_algorithms:
            raise Unauthorized(reason="algorithm")
        key_id = header.get("kid")
        if not isinstance(key_id, str) or not key_id:
            raise Unauthorized(reason="key")
        return key_id


def make_token(
    settings: Settings,
    user: str,
    role: Role,
    *,
    company: str | None = None,
    rooms: Sequence[str] = (),
    life_seconds: float = 3600,
    clock: Callable[[], float] = time.time,
) -> str:
    """Return a token for development and tests.

    The token is signed with the secret of `settings`. A server with the same settings accepts the token, unless that
    server verifies tokens with a public key. Raises `ValidationError` if a claim is malformed, `Unauthorized` if the
    role needs a company and `company` is None, and `SettingsError` if `SERVER_JWT_ROLE_MAP` maps no value to the role.
    """
    now = int(clock())
    claims: dict[str, Any] = {"sub": user, "role": role, "iat": now, "exp": now + int(life_seconds)}
    claims |= {"company": company} if company is not None else {}
    claims |= {"rooms": list(rooms)} if rooms else {}
    Claims.model_validate(claims).identity()
    del claims["role"]
    claims |= RoleClaim(settings).write(role)
    claims |= {"iss": settings.jwt_issuer, "aud": settings.jwt_audience[0]}
    headers = {"typ": settings.jwt_type[0]}
    return jwt.encode(claims, settings.secret, algorithm=settings.jwt_algorithms[0], headers=headers)
