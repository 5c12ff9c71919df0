"""The claims of a token. The settings say which claim holds the user's role."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import jwt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from .errors import Unauthorized
from .roles import NEEDS_COMPANY, TOPIC_ROOM_FORM, CompanyId, Identity, Role, UserId
from .settings import Settings, SettingsError

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

    def identity(self, *, verified_at: float | None = None) -> Identity:
        """Return the verified user that these claims describe.

        Raise `Unauthorized` if the role needs a company, and the token names none. `verified_at` is the time of the
        verification, in seconds since the epoch.
        """
        if self.role in NEEDS_COMPANY and self.company is None:
            raise Unauthorized(reason="company")
        return Identity(self.sub, self.role, self.exp, self.company, tuple(self.rooms), verified_at, self.iat)


class RoleClaim:
    """Reads and writes the claim that holds a user's role.

    The setting `SERVER_JWT_ROLE_CLAIM` names the claim. `SERVER_JWT_ROLE_MAP` maps values of the claim to roles. Raises
    `SettingsError` if a role in the map does not exist.
    """

    def __init__(self, settings: Settings) -> None:
        self._claim = settings.jwt_role_claim
        unknown = sorted({role for _, role in settings.jwt_role_map} - set(Role))
        if unknown:
            roles = ", ".join(Role)
            raise SettingsError(f"SERVER_JWT_ROLE_MAP has no role for {', '.join(unknown)}: the roles are {roles}")
        self._roles = {value: Role(role) for value, role in settings.jwt_role_map}

    def read(self, payload: Mapping[str, Any]) -> Any:
        """Return the role of a token, or None if there is none.

        Without `SERVER_JWT_ROLE_MAP`, return the value of the claim: `Claims` checks later whether this value is a
        role. With the map, return the role to which it maps the value. If the value is a list, use the first entry
        that is in the map.
        """
        value = find_claim(payload, self._claim)
        if not self._roles:
            return value
        values = value if isinstance(value, list) else [value]
        return next((self._roles[each] for each in values if isinstance(each, str) and each in self._roles), None)

    def write(self, role: Role) -> dict[str, str]:
        """Return the claim for this role, as a dict with one entry.

        The key is the name of the claim. The value is the role, or a value that `SERVER_JWT_ROLE_MAP` maps to the role.
        Raises `SettingsError` if `SERVER_JWT_ROLE_MAP` maps no value to this role.
        """
        if not self._roles:
            return {self._claim: role}
        value = next((value for value, mapped in self._roles.items() if mapped is role), None)
        if value is None:
            raise SettingsError(f"no token can have the role {role}: SERVER_JWT_ROLE_MAP leads nothing to it")
        return {self._claim: value}

    @property
    def reachable(self) -> list[Role]:
        """The roles that tokens can have, in the order of `Role`."""
        return [role for role in Role if not self._roles or role in self._roles.values()]


def find_claim(payload: Any, path: str) -> Any:
    """Return the claim at a dotted path, such as `realm_access.roles`, or None.

    The name of a claim can itself contain dots, such as `https://example.com/role`. So the whole path is first tried as
    the name of one claim. If there is no such claim, the path is split at a dot: the longest beginning that is the name
    of a claim is used, and the rest of the path is looked up inside this claim.
    """
    if not isinstance(payload, dict):
        return None
    if path in payload:
        return payload[path]
    name = path
    while "." in name:
        name = name.rpartition(".")[0]
        if name in payload:
            return find_claim(payload[name], path[len(name) + 1 :])
    return None


def names_only(audience: Any, accepted: Sequence[str]) -> bool:
    """Return whether all audiences in a token's `aud` are in `accepted`.

    An audience is the name of a service that the token is for. Return False if `aud` names no audience. A token with
    another audience is for another service too, and the other service could send this token to this server.
    """
    named = audience if isinstance(audience, list) else [audience]
    return bool(named) and all(isinstance(each, str) and each in accepted for each in named)


def kind_of(written: Any) -> str:
    """Return the `typ` of a token in a comparable form.

    The result is in lower case, without the prefix `application/`, which is optional (RFC 7515, 4.1.9). If the token
    has no `typ`, the result is `jwt`. If the `typ` is not a string, the result is empty.
    """
    if written is None:
        return "jwt"
    return written.lower().removeprefix("application/") if isinstance(written, str) else ""


def reason_of(error: Exception) -> str:
    """Return the word for a failed token check, such as `signature`.

    The word appears in the log and in metrics. `error` is an exception that PyJWT or Pydantic raised.
    """
    if isinstance(error, jwt.MissingRequiredClaimError):
        return CLAIM_REASONS[error.claim]
    if isinstance(error, ValidationError):
        place = error.errors(include_input=False, include_url=False)[0]["loc"]
        return CLAIM_REASONS.get(str(place[0]), "malformed") if place else "malformed"
    if isinstance(error, TypeError):
        # PyJWT raises it for a key of another kind than the algorithm's
        return "key"
    return next((reason for kind, reason in ERROR_REASONS if isinstance(error, kind)), "malformed")


def has_odd_number(payload: Any) -> bool:
    """Return whether a JSON value contains NaN or an infinity. Deep nesting does not overflow the stack."""
    left = [payload]
    while left:
        value = left.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return True
        if isinstance(value, dict | list):
            left.extend(value.values() if isinstance(value, dict) else value)
    return False
