"""All settings and limits of the server, each with its reason.

Each setting is read from an environment variable with the prefix `SERVER_`, or from the file `.env` in the working
folder.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from .addresses import LOOPBACK, check_proxies, check_redis_url
from .keys import (
    DEVELOPMENT_SECRET,
    check_algorithms,
    check_key_set,
    check_public_key,
    check_publish_token,
    check_secret,
)
from .origins import ANY, OPAQUE, is_loopback_origin, same_origins
from .product import AUDIENCE, ISSUER, RATE_SUFFIX, RATES, REDIS_PREFIX, ProductSettings
from .sources import ENV_FILE, PREFIX, written_settings
from .values import Count, Headers, Origins, Pairs, Positive, PublicKey, SomeWords, UrlPath, Words


class Settings(ProductSettings):
    """All settings of one server. They cannot be changed, and `repr` contains no secret."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, extra="forbid", frozen=True, allow_inf_nan=False
    )

    # production refuses a missing, short or published secret, and * and null in the list of origins
    env: Literal["development", "production"] = "development"
    # loopback: other machines cannot reach a server that is not configured yet
    host: str = "127.0.0.1"
    # the port for clients
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    # health, readiness, metrics: never on the public port
    internal_host: str = "127.0.0.1"
    # each process on one machine needs its own
    internal_port: Annotated[int, Field(ge=0, le=65535)] = 8010
    # the Bearer token of back ends that publish through the internal port, 32 bytes or more; empty: they cannot
    publish_token: SecretStr | None = None
    # where clients connect; this is the default of every client library
    path: UrlPath = "/socket.io/"
    # `debug` adds nothing of the libraries: they would log packets, and tokens with them
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    # websocket only: long polling loses events with aiohttp and needs sticky sessions
    transports: Words = ("websocket",)

    # 32 bytes or more, made by: python -c "import secrets; print(secrets.token_urlsafe(48))"
    jwt_secret: SecretStr | None = None
    # used instead of a secret if another service signs: the public key in PEM, or the URL of a key set
    jwt_public_key: PublicKey | None = None
    jwt_jwks_url: str | None = None
    # sent with each request for the key set, such as `Authorization: Bearer …`; JSON if a value has a comma
    jwt_jwks_headers: Headers = ()
    # the token does not choose its algorithm: RFC 8725, 3.1
    jwt_algorithms: Words = ("HS256",)
    # RFC 9068: only access tokens have this type; `JWT` also accepts other tokens, and those without a type
    jwt_type: SomeWords = ("at+jwt",)
    # a token from another issuer or for another service is refused
    jwt_issuer: str = ISSUER
    # one or more; a token that names several is accepted if all of them are listed here
    jwt_audience: SomeWords = (AUDIENCE,)
    # the claim with the role, or a dotted path such as realm_access.roles; the whole text is first tried as one claim
    jwt_role_claim: Annotated[str, Field(min_length=1)] = "role"
    # the provider's names of roles, such as manager:admin,courier:driver; needed if the claim is a list
    jwt_role_map: Pairs = ()
    # the clocks of two machines differ by seconds, not by minutes
    jwt_leeway_seconds: Annotated[float, Field(ge=0, le=300)] = 5
    # empty: same origin only; scheme, host and port, such as https://app.example; development adds those of loopback
    allowed_origins: Origins = ()
    # the proxies whose X-Forwarded-For is trusted: addresses or networks
    trusted_proxies: Words = ()

    # a phone on a bad network answers late; below 20 s, a short loss of network would end the connection
    ping_interval_seconds: Annotated[float, Field(ge=1)] = 25
    # the longest time for the answer to a ping
    ping_timeout_seconds: Positive = 20
    # a transport that never sends CONNECT wastes memory
    handshake_seconds: Positive = 10
    # the largest request has 4,000 characters of text, which is under 24 KiB when escaped
    max_frame_bytes: Count = 64 * 1024
    # a JWT with 16 rooms is about 1 KiB
    max_token_bytes: Count = 8 * 1024
    # `stock` is the library's own path: slower, and with an unbounded queue for a slow consumer
    delivery: Literal["engine", "stock"] = "engine"
    # writes to a busy connection are batched for this time; 0 writes each message separately
    gather_milliseconds: Annotated[float, Field(ge=0, le=100)] = 5
    # the send queue of a slow consumer; a megabyte is minutes of normal traffic
    outbox_bytes: Count = 1024 * 1024
    # the same limit in messages, because many small messages cost more than their bytes
    outbox_messages: Count = 256
    # a client that reads nothing for the length of a heartbeat is disconnected
    write_seconds: Positive = 20
    # all events of a user; a person with a map and a chat stays well below
    events_per_second: Positive = 20
    # a page that reconnects sends its waiting messages, which is not an attack
    burst_seconds: Positive = 10
    # a client that goes on after its first refusals is disconnected; a faulty page that polls stays well below
    refusals_per_minute: Count = 600
    # frames that no client library sends: a few are tolerated as a bug, more are an attack
    malformed_frames: Count = 5
    # a token may grant 16 rooms; more would subscribe to everything
    rooms_per_socket: Count = 16
    # tabs and devices of one person; one more evicts the socket that was silent longest
    sockets_per_user: Count = 10
    # an office behind one address; an IPv6 network of 64 bits counts as one address
    sockets_per_address: Count = 200
    # about 50 KiB each, in total one gigabyte
    connections: Count = 20_000
    # after a restart all clients reconnect at once; verifying their tokens must not delay connected clients
    connects_per_second: Positive = 500
    # the same for one address, with a burst of twice that: one attacker must not take the rate of all others
    connects_per_second_per_address: Positive = 50
    # a request line and its headers fit into one packet; a client that sends them slowly holds a file descriptor
    header_seconds: Positive = 10
    # plain HTTP requests are few; an idle connection after one holds a file descriptor
    keep_alive_seconds: Positive = 5

    # empty: one process without Redis; `rediss:` uses TLS, and a password goes before `@` and the host
    redis_url: SecretStr | None = None
    # prefix of every key and channel: two products on one Redis share channels, even in different databases
    redis_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")] = REDIS_PREFIX
    # after this time the server continues without the answer of Redis
    redis_seconds: Positive = 0.5
    # a subscriber that misses its own heartbeat, sent each second, for this long is deaf, and its process is not ready
    redis_deaf_seconds: Annotated[float, Field(ge=1.5)] = 5
    # emits that wait for publication, about 10 s of a busy process; above it the newest is dropped and counted
    redis_waiting: Count = 10_000

    # a handler is short; longer work belongs in a service
    handler_seconds: Positive = 5
    # time to fetch a new token before the old one expires; at most a third of the time that is left at the connect
    expiry_notice_seconds: Positive = 60
    # after expiry only auth:refresh is served for this time, then the transport is closed
    expiry_grace_seconds: Positive = 25
    # the longest time from a token's issue to its expiry: limits how long a stolen token is useful
    token_life_seconds: Positive = 24 * 3600
    # CPU-bound reports in parallel; leave another core to the event loop
    report_workers: Count = 2
    # unfinished reports of one user, who takes turns with the others; above this the answer is `busy`
    reports_per_user: Count = 64
    # unfinished reports of all users cost only memory; above this the answer is `busy`
    reports_waiting: Annotated[int, Field(ge=64)] = 1024
    # the longest report takes 2 s of CPU time; a worker that needs this long hangs; waiting is not counted
    report_seconds: Positive = 30
    # the longest graceful shutdown (draining)
    shutdown_seconds: Positive = 25

    @classmethod
    def settings_customise_sources(cls, settings_cls: Any, init_settings: Any, *_: Any, **sources: Any) -> Any:
        """Return the sources of settings: the arguments, then the environment and `.env`.

        pydantic-settings calls this method. `written_settings` reads the environment and `.env`.
        """
        environment = sources["env_settings"]
        written = written_settings(sources["dotenv_settings"].env_file)
        environment.env_vars = {name.lower(): value for name, value in written.items()}
        return init_settings, environment

    @model_validator(mode="after")
    def _is_fit_for_its_env(self) -> "Settings":
        if "websocket" not in self.transports or set(self.transports) - {"websocket", "polling"}:
            raise ValueError("SERVER_TRANSPORTS must hold websocket, and may add polling")
        is_production = self.env == "production"
        check_algorithms(self.jwt_algorithms, has_public_key=self.has_public_key)
        check_key_set(self.jwt_jwks_url, self.jwt_jwks_headers, is_production=is_production)
        if self.jwt_public_key is not None:
            check_public_key(self.jwt_public_key, self.jwt_algorithms)
        self._check_env(has_own_key=self.jwt_secret is not None or self.has_public_key)
        if not self.has_public_key:
            check_secret(self.secret, self.jwt_algorithms, is_production=is_production)
        check_proxies(self.trusted_proxies)
        check_redis_url(self.redis_url, is_production=is_production)
        check_publish_token(self.publish_token, is_production=is_production)
        return self

    def _check_env(self, *, has_own_key: bool) -> None:
        if self.env == "production":
            if {ANY, OPAQUE} & set(self.allowed_origins):
                raise ValueError("SERVER_ALLOWED_ORIGINS must list origins in production, not * or null")
            if not has_own_key:
                raise ValueError("SERVER_JWT_SECRET is missing: production needs a secret of 32 bytes or more")
        elif self.host not in LOOPBACK and not has_own_key:
            raise ValueError("SERVER_HOST must be a loopback address while the published development secret is used")

    @property
    def rates(self) -> dict[str, float]:
        """The rate limits of a user by kind, in events per second.

        The kind `events` is the limit for all events. The other kinds, such as `chat`, come from `ProductSettings`.
        """
        return {"events": self.events_per_second} | {kind: getattr(self, kind + RATE_SUFFIX) for kind in RATES}

    @property
    def has_public_key(self) -> bool:
        """True when a public key verifies tokens, so no secret is needed."""
        return self.jwt_public_key is not None or self.jwt_jwks_url is not None

    @property
    def secret(self) -> str:
        """The HMAC secret: `SERVER_JWT_SECRET`, or `DEVELOPMENT_SECRET`, which everyone knows."""
        return self.jwt_secret.get_secret_value() if self.jwt_secret is not None else DEVELOPMENT_SECRET

    @property
    def has_published_secret(self) -> bool:
        """True when the published `DEVELOPMENT_SECRET` verifies tokens. Everyone can then sign tokens."""
        return not self.has_public_key and self.secret == DEVELOPMENT_SECRET

    def allows_origin(self, origin: str, host: str) -> bool:
        """Return whether pages with this origin may connect.

        `origin` and `host` are headers of the request. If `SERVER_ALLOWED_ORIGINS` is empty, only pages of the same
        host may connect. Development also allows pages of this machine. `X-Forwarded-Host` is not used, because any
        client may send this header.
        """
        if self.env == "development" and is_loopback_origin(origin):
            return True
        allowed = self.allowed_origins or same_origins(host)
        return ANY in allowed or origin in allowed
