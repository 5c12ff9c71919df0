"""Authentication: verifies the token of a handshake and returns an `Identity`."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol

import jwt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from .errors import TokenExpired, Unauthorized
from .roles import TOPIC_ROOM_FORM, CompanyId, Identity, Role, UserId
from .settings import Settings

REQUIRED_CLAIMS = ["iss", "aud", "sub", "role", "iat", "exp"]
# `_verify` checks the times with the clock that was passed in
OPTIONS: jwt.types.Options = {
    "require": REQUIRED_CLAIMS,
    "strict_aud": True,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}
# the word for log and metric when a claim is missing or malformed; any other claim is `malformed`
CLAIM_REASONS = {
    "iss": "issuer",
    "aud": "audience",
    "sub": "user",
    "role": "role",
    "company": "company",
    "rooms": "rooms",
    "iat": "times",
    "nbf": "times",
    "exp": "times",
}
# the words for the errors of PyJWT; the first class that fits counts
ERROR_REASONS: Sequence[tuple[type[Exception], str]] = (
    (jwt.InvalidSignatureError, "signature"),
    (jwt.InvalidAlgorithmError, "algorithm"),
    (jwt.InvalidAudienceError, "audience"),
    (jwt.InvalidIssuerError, "issuer"),
    (jwt.exceptions.InvalidSubjectError, "user"),
    (jwt.InvalidKeyError, "key"),
)
# the last second of the year 9999: later ones are no dates, and huge numbers no times
LAST_SECOND = 253_402_300_799
Seconds = Annotated[float, Field(ge=0, le=LAST_SECOND)]
TopicRoom = Annotated[str, StringConstraints(pattern=f"^{TOPIC_ROOM_FORM}$")]


class Claims(BaseModel):
    """The claims of a token, checked more strictly than by PyJWT. For example, PyJWT accepts an empty `sub`."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    sub: UserId
    role: Annotated[Role, Field(strict=False)]
    iat: Seconds
    exp: Seconds
    # RFC 7519, 4.1.5; optional
    nbf: Seconds = 0
    company: CompanyId | None = None
    rooms: Annotated[list[TopicRoom], Field(max_length=16)] = Field(default_factory=list)

    def identity(self) -> Identity:
        """Return the token's identity. Raise `Unauthorized` when a company user's token names no company."""
        if self.role is Role.COMPANY and self.company is None:
            raise Unauthorized(reason="company")
        return Identity(self.sub, self.role, self.exp, self.company, tuple(self.rooms))


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
    `algorithm`, `type`, `times`, `expired` or `key`. For `TemporarilyUnavailable` it is `key_pending` or `keys_away`.
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

    async def stop(self) -> None:
        """Stop fetching the issuer's keys."""
        if self._published is not None:
            await self._published.stop()

    async def identify(self, auth: Any) -> Identity:
        """Verify a token and return its identity. `auth` is `{"token": "<JWT>"}`.

        A token is accepted for `jwt_leeway_seconds` after its expiry, because the clocks of two machines may differ.
        After the expiry the gateway serves only `auth:refresh`. Raises `Unauthorized`, `TokenExpired` or
        `TemporarilyUnavailable`.
        """
        token = auth.get("token") if isinstance(auth, dict) else None
        if not isinstance(token, str) or not token:
            raise Unauthorized(reason="no_token")
        if len(token) > self._settings.max_token_bytes:
            raise Unauthorized(reason="too_long")
        if self._published is None:
            return self._verify(token, self._key)
        return self._verify(token, await self._published.find(self._key_id(token)))

    def _verify(self, token: str, key: Any) -> Identity:
        claims = self._claims(token, key)
        now = self._clock()
        leeway = self._settings.jwt_leeway_seconds
        # a comparison with NaN is false: each of these accepts only when it is true
        if not claims.exp > now - leeway:
            raise TokenExpired(reason="expired")
        has_begun = claims.iat <= now + leeway and claims.nbf <= now + leeway
        if not (has_begun and claims.exp - now <= self._settings.token_life_seconds + leeway):
            raise Unauthorized(reason="times")
        return dataclasses.replace(claims.identity(), verified_at=now)

    def _claims(self, token: str, key: Any) -> Claims:
        settings = self._settings
        try:
            decoded = self._jwt.decode_complete(
                token,
                key,
                algorithms=list(settings.jwt_algorithms),
                audience=settings.jwt_audience,
                issuer=settings.jwt_issuer,
                options=OPTIONS,
            )
            if str(decoded["header"].get("typ", "")).lower() != settings.jwt_type.lower():
                raise Unauthorized(reason="type")
            claims = Claims.model_validate(decoded["payload"])
            if _has_odd_number(decoded["payload"]):
                raise Unauthorized(reason="malformed")
            return claims
        except (jwt.PyJWTError, ValidationError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthorized(reason=reason_of(error)) from None

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


def reason_of(error: Exception) -> str:
    """Return the word that names the failed check in log and metrics."""
    if isinstance(error, jwt.MissingRequiredClaimError):
        return CLAIM_REASONS[error.claim]
    if isinstance(error, ValidationError):
        place = error.errors(include_input=False, include_url=False)[0]["loc"]
        return CLAIM_REASONS.get(str(place[0]), "malformed") if place else "malformed"
    if isinstance(error, TypeError):
        # PyJWT raises it for a key of another kind than the algorithm's
        return "key"
    return next((reason for kind, reason in ERROR_REASONS if isinstance(error, kind)), "malformed")


def _has_odd_number(payload: Any) -> bool:
    """Return whether a JSON value contains NaN or an infinity. It avoids recursion: the stack could overflow."""
    left = [payload]
    while left:
        value = left.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return True
        if isinstance(value, dict | list):
            left.extend(value.values() if isinstance(value, dict) else value)
    return False


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

    A server with the same settings accepts this token. Raises `ValidationError` if a claim is malformed, and
    `Unauthorized` if a company user has no company.
    """
    now = int(clock())
    claims: dict[str, Any] = {"sub": user, "role": role, "iat": now, "exp": now + int(life_seconds)}
    claims |= {"company": company} if company is not None else {}
    claims |= {"rooms": list(rooms)} if rooms else {}
    Claims.model_validate(claims).identity()
    claims |= {"iss": settings.jwt_issuer, "aud": settings.jwt_audience}
    return jwt.encode(claims, settings.secret, algorithm=settings.jwt_algorithms[0], headers={"typ": settings.jwt_type})
