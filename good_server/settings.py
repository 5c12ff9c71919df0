"""Answers for every setting and limit; each has its reason on the line above it.

Read from the environment with the prefix `SERVER_`, and from `.env` in the working folder; the environment wins.
"""

import ipaddress
import json
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

# Published on purpose: it lets a newcomer start with no setting at all, and is refused in production.
DEVELOPMENT_SECRET = "development-only-secret-known-to-everyone"  # noqa: S105 - a secret that keeps nothing
# RFC 7518, 3.2: an HMAC key is at least as long as the hash; PyJWT is told to refuse a shorter one.
HMAC_KEY_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
PUBLIC_KEY_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES256K", "ES384", "ES512", "EdDSA"}
)
PLACEHOLDERS = ("changeme", "change-me", "change_me", "placeholder", "your-secret", "secret-here", "replace")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
REDIS_SCHEMES = frozenset({"redis", "rediss", "unix"})


class SettingsError(Exception):
    """A setting that stops the start; the message is one line that names it."""


def _listed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """The settings of one server; frozen, and `repr` shows no secret."""

    model_config = SettingsConfigDict(env_prefix="SERVER_", env_file=".env", extra="ignore", frozen=True)

    env: Literal["development", "production"] = "development"
    # loopback: what is not yet configured is not yet reachable
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    # health, readiness, metrics: never on the public port
    internal_host: str = "127.0.0.1"
    internal_port: Annotated[int, Field(ge=0, le=65535)] = 8010
    # long polling loses events under aiohttp and needs sticky sessions
    transports: Words = ("websocket",)

    jwt_secret: SecretStr | None = None
    jwt_public_key: str | None = None
    jwt_jwks_url: str | None = None
    # never taken from the token: RFC 8725, 3.1
    jwt_algorithms: Words = ("HS256",)
    # RFC 9068: an access token says so, and an id token is not one
    jwt_type: str = "at+jwt"
    jwt_issuer: str = "rooms-not-ids"
    jwt_audience: str = "dispatch"
    # clocks of two machines differ by seconds, not minutes
    jwt_leeway_seconds: Annotated[float, Field(ge=0, le=300)] = 5
    # empty: same origin only; a browser always sends one, other programs need not
    allowed_origins: Words = ()
    # whose X-Forwarded-For is believed; addresses or networks
    trusted_proxies: Words = ()

    # a phone on a bad network answers late; below 20 s it would be dropped in a tunnel
    ping_interval_seconds: Annotated[float, Field(ge=1)] = 25
    ping_timeout_seconds: Positive = 20
    # a transport that never says CONNECT holds memory for nothing
    handshake_seconds: Positive = 10
    # the largest request is 4,000 characters of text; escaped, that is under 24 KiB
    max_frame_bytes: Count = 64 * 1024
    # a JWT with 16 rooms is about 1 KiB
    max_token_bytes: Count = 8 * 1024
    # `stock` is the library's own path: slower, and without a bound on what a slow reader is owed
    delivery: Literal["engine", "stock"] = "engine"
    # busy connections are written to once in this time; 0 writes each message by itself
    gather_milliseconds: Annotated[float, Field(ge=0, le=100)] = 5
    # what a connection may be owed before its reader is too slow: a megabyte is minutes of an honest load
    outbox_bytes: Count = 1024 * 1024
    outbox_messages: Count = 256
    # a reader that takes nothing at all for as long as a heartbeat is given up
    write_seconds: Positive = 20
    # over all events: a person with a map and a chat stays well below
    events_per_second: Positive = 20
    # nobody types faster
    chat_per_second: Positive = 5
    # positions are useful about once a second
    tracking_per_second: Positive = 2
    # a page that comes back sends what it kept; that is not an attack
    burst_seconds: Positive = 10
    # a client that does not slow down when told to is not a client; some four bursts of refusals in a row
    refusals_in_a_row: Count = 800
    # frames no client library would send: a bug gets a few, an attack no more
    malformed_frames: Count = 5
    # the token may grant 16; more is a list of everything
    rooms_per_socket: Count = 16
    # tabs and devices of one person; one more closes the one silent longest
    sockets_per_user: Count = 10
    # an office behind one address; of IPv6 a network of 64 bits counts as one
    sockets_per_address: Count = 200
    # about 50 KiB each: a gigabyte
    connections: Count = 20_000
    # a restart brings everyone back at once; verifying tokens must not starve those already in
    connects_per_second: Positive = 500

    # absent: one process, which needs nobody; `rediss:` is with TLS, a password stands before the host and an `@`
    redis_url: SecretStr | None = None
    # before every key and channel: two products on one Redis would otherwise hear each other, whatever the database
    redis_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")] = "dispatch"
    # an answer that takes longer is none: what is waited for is then done without Redis
    redis_seconds: Positive = 0.5
    # a listener that has not heard its own heartbeat for so long is deaf, and its process not ready
    redis_deaf_seconds: Positive = 5
    # what may wait to be published, about 10 s of a busy process; beyond it the newest is lost, and counted
    redis_waiting: Count = 10_000

    # a handler is thin; what takes longer belongs in a service
    handler_seconds: Positive = 5
    # time to fetch a new token before the old one ends
    expiry_notice_seconds: Positive = 60
    # after it ended: only auth:refresh is served, then the transport closes
    expiry_grace_seconds: Positive = 25
    # a stolen token ends by itself
    token_life_seconds: Positive = 24 * 3600
    # CPU-bound work at once; another core is left to the loop
    report_workers: Count = 2
    # waiting reports cost memory only; beyond this the answer is `busy`
    reports_waiting: Annotated[int, Field(ge=64)] = 256
    # the longest report burns 2 s; a worker that takes this long hangs
    report_seconds: Positive = 30
    # how long a deploy waits for goodbyes
    shutdown_seconds: Positive = 25

    @model_validator(mode="after")
    def _is_fit_for_its_env(self) -> "Settings":
        if "websocket" not in self.transports or set(self.transports) - {"websocket", "polling"}:
            raise ValueError("SERVER_TRANSPORTS must hold websocket, and may add polling")
        self._check_algorithms()
        self._check_public_key()
        if self.env == "development":
            self._check_development()
        else:
            self._check_production()
        self._check_secret_length()
        self._check_proxies()
        self._check_redis()
        return self

    def _check_algorithms(self) -> None:
        # a public key must never be usable as an HMAC secret: RFC 8725, 3.1
        fitting = PUBLIC_KEY_ALGORITHMS if self.has_public_key else HMAC_KEY_BYTES.keys()
        if not self.jwt_algorithms or set(self.jwt_algorithms) - fitting:
            raise ValueError("SERVER_JWT_ALGORITHMS must be HS* with a secret, or asymmetric ones with a public key")

    def _check_public_key(self) -> None:
        if self.jwt_jwks_url is not None and not self.jwt_jwks_url.startswith(("https://", "http://")):
            raise ValueError("SERVER_JWT_JWKS_URL must be an http or https address")
        if self.jwt_public_key is None:
            return
        # here, as most servers have no such key and the import is heavy
        import jwt

        for name in self.jwt_algorithms:
            algorithm = jwt.get_algorithm_by_name(name)
            try:
                key = algorithm.prepare_key(self.jwt_public_key)
                is_short = algorithm.check_key_length(key) is not None
            except (jwt.PyJWTError, ValueError, TypeError):
                raise ValueError(f"SERVER_JWT_PUBLIC_KEY is not a public key for {name}") from None
            # only a private key has a public half
            if hasattr(key, "public_key"):
                raise ValueError("SERVER_JWT_PUBLIC_KEY is a private key: set its public half, or all may sign")
            if is_short:
                raise ValueError(f"SERVER_JWT_PUBLIC_KEY is too short for {name}")

    def _check_secret_length(self) -> None:
        if self.has_public_key:
            return
        least = max(HMAC_KEY_BYTES[name] for name in self.jwt_algorithms)
        if len(self.secret.encode()) < least:
            raise ValueError(f"SERVER_JWT_SECRET is shorter than the {least} bytes that its algorithm needs")

    def _check_proxies(self) -> None:
        try:
            for proxy in self.trusted_proxies:
                ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            raise ValueError("SERVER_TRUSTED_PROXIES must be addresses or networks") from None

    def _check_redis(self) -> None:
        if self.redis_url is None:
            return
        try:
            url = urlsplit(self.redis_url.get_secret_value())
            is_address = url.scheme in REDIS_SCHEMES and bool(url.path if url.scheme == "unix" else url.hostname)
            _ = url.port
        except ValueError:
            is_address = False
        if not is_address:
            raise ValueError("SERVER_REDIS_URL must be redis://host:port/0, rediss:// for TLS, or unix:///path")
        is_open = url.password is None and url.scheme != "unix" and url.hostname not in LOOPBACK
        if self.env == "production" and is_open:
            raise ValueError("SERVER_REDIS_URL has no password: whoever reaches that Redis could write to everyone")

    def _check_development(self) -> None:
        own_secret = self.jwt_secret is not None or self.has_public_key
        if self.host not in LOOPBACK and not own_secret:
            raise ValueError("SERVER_HOST must be a loopback address while the published development secret is used")

    def _check_production(self) -> None:
        if "*" in self.allowed_origins:
            raise ValueError("SERVER_ALLOWED_ORIGINS must list origins in production, not *")
        if not self.has_public_key and self.jwt_secret is None:
            raise ValueError("SERVER_JWT_SECRET is missing: production needs a secret of 32 bytes or more")
        if self.has_public_key:
            return
        secret = self.secret
        if secret == DEVELOPMENT_SECRET or any(word in secret.lower() for word in PLACEHOLDERS):
            raise ValueError("SERVER_JWT_SECRET is a published or placeholder value: production needs one of its own")

    @property
    def has_public_key(self) -> bool:
        """Whether tokens are verified with somebody else's key, so that no secret is needed here."""
        return self.jwt_public_key is not None or self.jwt_jwks_url is not None

    @property
    def secret(self) -> str:
        """The HMAC secret: the set one, or in development the published one."""
        return self.jwt_secret.get_secret_value() if self.jwt_secret is not None else DEVELOPMENT_SECRET


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; raises `SettingsError` with one line that names the setting."""
    try:
        return Settings(**overrides)
    except (ValidationError, ValueError) as error:
        raise SettingsError(_one_line(error)) from None


def _one_line(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error).splitlines()[0]
    first = error.errors(include_input=False, include_url=False)[0]
    message = str(first["msg"]).removeprefix("Value error, ")
    name = "_".join(str(part) for part in first["loc"][:1])
    return f"SERVER_{name.upper()}: {message}" if name else message
