"""The token issuer's public keys, refreshed in the background.

While the issuer cannot be reached, known keys stay in use. Only the background task fetches keys, so many tokens do not
cause many fetches.
"""

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp
from prometheus_client import Counter, Gauge

from .background import Background
from .errors import TemporarilyUnavailable, Unauthorized
from .key_set import FETCH_SECONDS, FetchError, create_session, fetch_keys
from .observability import Metrics, log
from .settings import Settings

# a key that the issuer has withdrawn is refused after this time
REFRESH_SECONDS = 300.0
# tokens with unknown keys cause one fetch in this time, whether it succeeds or fails
COOLDOWN_SECONDS = 10.0
# until there are any keys, a failed fetch is tried again soon, and then less and less often
FIRST_RETRY_SECONDS = 1.0


class SigningKeys:
    """The public keys that this process has fetched from `SERVER_JWT_JWKS_URL`."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._background = Background(metrics)
        self._keys: dict[str, Any] = {}
        # why the last fetch failed, or None
        self._trouble: FetchError | None = None
        self._failures = 0
        self._is_fetching = False
        self._is_resting = False
        self._is_wanted = asyncio.Event()
        self._fetched = asyncio.Event()
        # a check that waits longer would pass the deadline of its connect or its event, which refuses for good
        self._wait_seconds = min(FETCH_SECONDS, settings.handshake_seconds / 2, settings.handler_seconds / 2)
        registry = metrics.registry
        self._fetches = Counter(
            "server_key_fetches", "Fetches of the key set by outcome.", ["outcome"], registry=registry
        )
        self._up = Gauge("server_keys_up", "1 while the last fetch of the key set succeeded.", registry=registry)

    @property
    def is_ready(self) -> bool:
        """True when there are keys to verify tokens with, even old ones."""
        return bool(self._keys)

    @property
    def is_degraded(self) -> bool:
        """True when the last fetch failed, so the keys may be old."""
        return self._trouble is not None or bool(self._background.failing)

    async def start(self) -> None:
        """Start to fetch the keys regularly, in the background."""
        self._background.start("signing keys", self._refresh)

    async def stop(self) -> None:
        """Stop fetching the keys. Calls of `find` that wait for a fetch then raise an error."""
        self._is_resting = True
        await self._background.stop()
        self._fetched.set()

    async def find(self, key_id: str) -> Any:
        """Return the key with this id, the `kid` of a token. For an unknown id, wait for a fetch.

        The wait has a time limit; soon after a fetch, there is no wait. Raises `Unauthorized` if the issuer has no such
        key. Raises `TemporarilyUnavailable` if this cannot be known now, for example if the issuer does not answer.
        """
        if key_id in self._keys:
            return self._keys[key_id]
        is_certain = False
        if not self._is_resting:
            # a fetch that already runs may bring the keys of a moment ago
            was_running = self._is_fetching
            self._is_wanted.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait_seconds):
                    await self._fetched.wait()
                    is_certain = not was_running
        if key_id in self._keys:
            return self._keys[key_id]
        if self._trouble is not None or not self._keys:
            raise TemporarilyUnavailable(reason="keys_away")
        if not is_certain:
            raise TemporarilyUnavailable(reason="key_pending")
        raise Unauthorized(reason="key")

    async def _refresh(self) -> None:
        async with create_session(self._settings) as session:
            while True:
                await self._fetch(session)
                await asyncio.sleep(self._pause_seconds())
                self._is_resting = False
                # a failed fetch is tried again without being asked
                if self._trouble is None:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(max(0.0, REFRESH_SECONDS - COOLDOWN_SECONDS)):
                            await self._is_wanted.wait()

    async def _fetch(self, session: aiohttp.ClientSession) -> None:
        self._is_wanted.clear()
        self._is_fetching = True
        trouble: FetchError | None = None
        try:
            self._keys = await fetch_keys(session, self._settings.jwt_jwks_url or "")
        except FetchError as error:
            trouble = error
        finally:
            self._is_fetching, self._is_resting = False, True
        self._note(trouble)
        # those that come from now on wait for the next fetch
        fetched, self._fetched = self._fetched, asyncio.Event()
        fetched.set()

    def _note(self, trouble: FetchError | None) -> None:
        """Count the outcome of a fetch. Log the outcome if it has changed. `trouble` is None after a success."""
        before, self._trouble = self._trouble, trouble
        self._fetches.labels(trouble.cause if trouble else "ok").inc()
        self._up.set(trouble is None)
        if trouble is None:
            self._failures = 0
            if before is not None:
                log.info("the key set is back", keys=len(self._keys))
            return
        self._failures += 1
        if before is None or before.cause != trouble.cause:
            log.warning(
                "the key set cannot be fetched",
                cause=trouble.cause,
                detail=trouble.detail,
                keys=len(self._keys),
                setting="SERVER_JWT_JWKS_URL",
            )

    def _pause_seconds(self) -> float:
        if self._keys:
            return COOLDOWN_SECONDS
        return min(COOLDOWN_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(self._failures - 1, 10))
