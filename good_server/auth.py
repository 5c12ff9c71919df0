"""Authentication: verifies the token of a handshake and returns an `Identity`."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import jwt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from .errors import TokenExpired, Unauthorized
from .roles import TOPIC_ROOM_FORM, CompanyId, Identity, Role, UserId
from .settings import Settings

REQUIRED_CLAIMS = ["iss", "aud", "sub", "role", "iat", "exp"]
TopicRoom = Annotated[str, StringConstraints(pattern=f"^{TOPIC_ROOM_FORM}$")]


class Claims(BaseModel):
    """The claims of a token, checked more strictly than PyJWT does. PyJWT would accept an empty `sub`."""

    model_config = ConfigDict(strict=True, extra="ignore")

    sub: UserId
    role: Annotated[Role, Field(strict=False)]
    iat: float
    exp: float
    company: CompanyId | None = None
    rooms: Annotated[list[TopicRoom], Field(max_length=16)] = Field(default_factory=list)

    def identity(self) -> Identity:
        """Return the token's identity. Raise `Unauthorized` when a company user's token names no company."""
        if self.role is Role.COMPANY and self.company is None:
            raise Unauthorized("a company user's token names its company")
        return Identity(self.sub, self.role, self.exp, self.company, tuple(self.rooms))


class TokenAuth:
    """Verifies tokens. It stores no token and no claim."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        # keys that the header of a token names are ignored: RFC 8725, 3.10
        self._key = settings.jwt_public_key or settings.secret
        self._jwks = jwt.PyJWKClient(settings.jwt_jwks_url, timeout=5) if settings.jwt_jwks_url is not None else None
        self._jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})

    async def identify(self, auth: Any) -> Identity:
        """Return the identity in the token of a handshake `{"token": "<JWT>"}`.

        An expired token is accepted for `jwt_leeway_seconds` more, as the clocks of two machines may differ. After the
        expiry the gateway serves only `auth:refresh`. Raises `Unauthorized` or `TokenExpired`.
        """
        token = auth.get("token") if isinstance(auth, dict) else None
        if not isinstance(token, str) or not token:
            raise Unauthorized
        if len(token) > self._settings.max_token_bytes:
            raise Unauthorized("the token is too long")
        if self._jwks is not None:
            # the key may have to be fetched, and the client of PyJWT blocks
            return await asyncio.to_thread(self._verify, token)
        return self._verify(token)

    def _verify(self, token: str) -> Identity:
        claims = self._claims(token)
        now = self._clock()
        leeway = self._settings.jwt_leeway_seconds
        if claims.exp <= now - leeway:
            raise TokenExpired
        if claims.iat > now + leeway or claims.exp - now > self._settings.token_life_seconds + leeway:
            raise Unauthorized("the token's times are not plausible")
        return claims.identity()

    def _claims(self, token: str) -> Claims:
        settings = self._settings
        try:
            decoded = self._jwt.decode_complete(
                token,
                self._key if self._jwks is None else self._jwks.get_signing_key_from_jwt(token).key,
                algorithms=list(settings.jwt_algorithms),
                audience=settings.jwt_audience,
                issuer=settings.jwt_issuer,
                # `_verify` checks exp and iat with the clock that was passed in
                options={"require": REQUIRED_CLAIMS, "strict_aud": True, "verify_exp": False, "verify_iat": False},
                leeway=settings.jwt_leeway_seconds,
            )
            if str(decoded["header"].get("typ", "")).lower() != settings.jwt_type.lower():
                raise Unauthorized("this is another kind of token")
            return Claims.model_validate(decoded["payload"])
        except (jwt.PyJWTError, ValidationError, ValueError, TypeError, OverflowError):
            # no detail: the name of the failed check would help only an attacker
            raise Unauthorized from None


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

    A server with the same settings accepts it. Raises `ValidationError` or `Unauthorized` for claims that it refuses.
    """
    now = int(clock())
    claims: dict[str, Any] = {"sub": user, "role": role, "iat": now, "exp": now + int(life_seconds)}
    claims |= {"company": company} if company is not None else {}
    claims |= {"rooms": list(rooms)} if rooms else {}
    Claims.model_validate(claims).identity()
    claims |= {"iss": settings.jwt_issuer, "aud": settings.jwt_audience}
    return jwt.encode(claims, settings.secret, algorithm=settings.jwt_algorithms[0], headers={"typ": settings.jwt_type})
