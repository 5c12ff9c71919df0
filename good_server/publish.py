"""Publishers that send a back end's commands to servers through Redis.

The commands send messages to rooms, move users between rooms, and disconnect users. A back end, such as a web framework
or a queue worker, imports this module. The module starts no server and reads no settings.
"""

import asyncio
import re
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from .denials import KEEP_MS, Denial
from .events import Message
from .orders import Disconnect, Move, disconnect_order, emit_order, encoded, move_order

# the default of SERVER_REDIS_PREFIX in `settings/product.py`, and its form
PREFIX = "dispatch"
PREFIX_FORM = r"[A-Za-z0-9_.:-]{1,64}"
# the part of the channel's name after the prefix
CHANNEL_PART = "rooms"
# the longest wait for one answer of Redis, which takes a millisecond when it is there
ANSWER_SECONDS = 1.0
# the longest wait for all answers of one call
CALL_SECONDS = 3.0


class PublishError(Exception):
    """Redis cannot be reached or refuses the command. The message is one line without a password."""


class _Redis:
    """Base class of `Publisher` and `SyncPublisher`. Builds their Redis commands."""

    def __init__(self, redis_url: str, *, prefix: str = PREFIX) -> None:
        if not re.fullmatch(PREFIX_FORM, prefix):
            raise ValueError("prefix must be the SERVER_REDIS_PREFIX of the servers")
        _check_url(redis_url)
        self._prefix = prefix
        self._sender = uuid.uuid4().hex

    def _emit(self, message: Message, to: Sequence[str]) -> list[tuple[Any, ...]]:
        return [self._publish_command(encoded(emit_order(message, to, self._sender)))]

    def _move(self, user: str, join: Iterable[str], leave: Iterable[str]) -> list[tuple[Any, ...]]:
        return [self._order_command(move_order(user, _listed(join), _listed(leave)))]

    def _disconnect(self, user: str, deny_seconds: float | None) -> list[tuple[Any, ...]]:
        now = time.time()
        order = disconnect_order(user, deny_seconds, now)
        if order.denial == Denial():
            return [self._order_command(order)]
        # stored first: a process that does not hear the order finds the denial when the user connects
        store = order.denial.store_command(self._prefix, user, _keep_ms(order, now))
        return [store, self._order_command(order)]

    def _order_command(self, order: Move | Disconnect) -> tuple[Any, ...]:
        return self._publish_command(encoded(order.model_dump(mode="json")))

    def _publish_command(self, text: bytes) -> tuple[Any, ...]:
        return ("PUBLISH", f"{self._prefix}:{CHANNEL_PART}", text)


class Publisher(_Redis):
    """Publishes messages, moves users and disconnects users, from asyncio code.

    Use it as `async with Publisher(redis_url) as publisher`, in one event loop. `prefix` is the value of the setting
    `SERVER_REDIS_PREFIX` of the servers. To move a user means to change the rooms of the user's sockets. Each method
    sends one command, and returns how many server processes received the command; 0 means that no server process
    listens. A process receives a command at most once. Raises `ValueError` for a wrong argument, and `PublishError` if
    Redis cannot be reached or refuses the command.
    """

    def __init__(self, redis_url: str, *, prefix: str = PREFIX) -> None:
        super().__init__(redis_url, prefix=prefix)
        # here, as a team that runs one process may not have it
        import redis.asyncio as client
        from redis.asyncio.retry import Retry

        self._redis: Any = client.Redis.from_url(redis_url, **_options(Retry))

    async def __aenter__(self) -> "Publisher":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def publish(self, message: Message, *, to: Sequence[str]) -> int:
        """Send a message to rooms. Return how many server processes received it.

        The functions of `rooms.py` return the names of rooms, for example `user_room("ana")`.
        """
        return await self._run(self._emit(message, to))

    async def move(self, user: str, *, join: Iterable[str] = (), leave: Iterable[str] = ()) -> int:
        """Change the topic rooms of all sockets of a user.

        A topic room, such as `job:17`, is a room that clients may join and leave. The sockets join the rooms in `join`,
        and leave the rooms in `leave`. Returns how many server processes received the command.
        """
        return await self._run(self._move(user, join, leave))

    async def disconnect(self, user: str, *, deny_seconds: float | None = None) -> int:
        """Disconnect all sockets of a user, and refuse the user's tokens.

        By default, tokens that were issued until now are refused, and newer tokens are accepted. If `deny_seconds` is
        above 0, every token is refused for so many seconds. If it is 0, no token is refused. Returns how many server
        processes received the command.
        """
        return await self._run(self._disconnect(user, deny_seconds))

    async def _run(self, commands: list[tuple[Any, ...]]) -> int:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                pipeline = self._redis.pipeline(transaction=False)
                for command in commands:
                    pipeline.execute_command(*command)
                return _receivers(await pipeline.execute(raise_on_error=False))
        except _errors() as error:
            raise _away(error) from None


class SyncPublisher(_Redis):
    """Publishes messages, moves users and disconnects users, from code without asyncio.

    Use it as `with SyncPublisher(redis_url) as publisher`. Threads may share it, and a process may use it after a fork.
    It has the methods of `Publisher`, but without `async`.
    """

    def __init__(self, redis_url: str, *, prefix: str = PREFIX) -> None:
        super().__init__(redis_url, prefix=prefix)
        import redis as client
        from redis.retry import Retry

        self._redis: Any = client.Redis.from_url(redis_url, **_options(Retry))

    def __enter__(self) -> "SyncPublisher":
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.close()

    def publish(self, message: Message, *, to: Sequence[str]) -> int:
        """Send a message to rooms. Return how many server processes received it."""
        return self._run(self._emit(message, to))

    def move(self, user: str, *, join: Iterable[str] = (), leave: Iterable[str] = ()) -> int:
        """Change the topic rooms of all sockets of a user.

        A topic room, such as `job:17`, is a room that clients may join and leave. The sockets join the rooms in `join`,
        and leave the rooms in `leave`. Returns how many server processes received the command.
        """
        return self._run(self._move(user, join, leave))

    def disconnect(self, user: str, *, deny_seconds: float | None = None) -> int:
        """Disconnect a user and refuse the user's tokens, like `Publisher.disconnect`.

        If `deny_seconds` is None, tokens that were issued until now are refused. If `deny_seconds` is above 0, every
        token is refused for so many seconds. If it is 0, no token is refused. Returns how many server processes
        received the command.
        """
        return self._run(self._disconnect(user, deny_seconds))

    def _run(self, commands: list[tuple[Any, ...]]) -> int:
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return _receivers(pipeline.execute(raise_on_error=False))
        except _errors() as error:
            raise _away(error) from None


def _check_url(url: object) -> None:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        is_valid = parts.scheme in ("redis", "rediss", "unix") and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        # the URL may hold a password
        raise ValueError("redis_url must be redis://host:port/0, rediss:// for TLS, or unix:///path")


def _listed(rooms: Iterable[str]) -> list[str]:
    # a single name would become a list of its letters
    if isinstance(rooms, str) or not isinstance(rooms, Iterable):
        raise ValueError("join and leave must be lists of topic rooms")
    return list(rooms)


def _keep_ms(order: Disconnect, now: float) -> int:
    return max(KEEP_MS, order.all_until - int(now * 1000))


def _options(retry: Any) -> dict[str, Any]:
    from redis.backoff import NoBackoff

    # one attempt: a repeated PUBLISH could arrive twice
    seconds = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
    return {"retry": retry(NoBackoff(), 0), **seconds}


def _errors() -> tuple[type[Exception], ...]:
    from redis.exceptions import RedisError

    # asyncio raises the last one for a connection of an event loop that has ended
    return (RedisError, OSError, TimeoutError, RuntimeError)


def _away(error: Exception) -> PublishError:
    from redis.exceptions import ResponseError

    if isinstance(error, ResponseError):
        # such as NOPERM or OOM; older versions of redis-py have no code
        code = getattr(error, "status_code", None) or type(error).__name__
        return PublishError(f"Redis refuses the command ({code})")
    return PublishError(f"Redis is away ({type(error).__name__})")


def _receivers(answers: Sequence[Any]) -> int:
    """Return how many server processes received the last command.

    `answers` are the answers of Redis to all commands of one pipeline, in order. Raises the first error among the
    answers.
    """
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return int(answers[-1])
