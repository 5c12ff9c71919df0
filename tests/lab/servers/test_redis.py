"""Test the Redis server of the lab: start, stop, restart and errors."""

import os
from pathlib import Path

import pytest
from lab.servers.redis import RedisError, RedisServer, running_redis
from lab.system.exit_codes import UsageError
from redis.asyncio import Redis
from redis.exceptions import ConnectionError


async def answers_ping(server: RedisServer) -> bool:
    try:
        async with Redis.from_url(server.url, socket_connect_timeout=1) as client:
            return bool(await client.ping())
    except ConnectionError:
        return False


async def test_it_restarts_empty_on_the_same_port(redis_program: str) -> None:
    async with running_redis() as server:
        port = server.port
        async with Redis(port=port) as client:
            await client.set("key", "value")
        await server.stop()
        assert not await answers_ping(server)
        await server.start()
        assert server.port == port
        async with Redis(port=port) as client:
            assert await client.dbsize() == 0


async def test_process_and_folder_are_gone_after_the_block(
    redis_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with running_redis() as server:
        assert await answers_ping(server)
        assert os.listdir(tmp_path)
    assert not await answers_ping(server)
    assert os.listdir(tmp_path) == []


async def test_subscribers_of_channels_with_a_prefix_are_counted(redis_program: str) -> None:
    async with running_redis() as server, Redis(port=server.port) as client, client.pubsub() as subscriber:
        assert await server.subscribers("lab-1") == 0
        await subscriber.subscribe("lab-1:rooms")
        await subscriber.get_message(timeout=5)
        assert (await server.subscribers("lab-1"), await server.subscribers("lab-2")) == (1, 0)


async def test_a_port_in_use_is_reported_in_one_line(redis_program: str) -> None:
    async with running_redis() as first:
        second = RedisServer(port=first.port)
        try:
            with pytest.raises(RedisError, match=r"^redis-server did not start: .*[Ff]ailed.*$"):
                await second.start()
        finally:
            await second.close()


def test_a_missing_redis_server_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"^redis-server is not installed.*: apt install redis-server$"):
        RedisServer()
