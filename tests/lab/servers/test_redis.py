"""A real Redis of the lab's own: it comes, goes, comes back on its port, and says in one line when it cannot."""

import os
from pathlib import Path

import pytest
from lab.servers.redis import RedisError, RedisServer, running_redis
from lab.system.exit_codes import UsageError
from redis.asyncio import Redis
from redis.exceptions import ConnectionError


async def is_answered(server: RedisServer) -> bool:
    try:
        async with Redis.from_url(server.url, socket_connect_timeout=1) as client:
            return bool(await client.ping())
    except ConnectionError:
        return False


async def test_it_stops_and_comes_back_on_its_port_empty(redis_program: str) -> None:
    async with running_redis() as server:
        port = server.port
        async with Redis(port=port) as client:
            await client.set("kept", "no")
        await server.stop()
        assert not await is_answered(server)
        await server.start()
        assert server.port == port
        async with Redis(port=port) as client:
            assert await client.dbsize() == 0


async def test_it_is_gone_with_its_folder_when_the_block_ends(
    redis_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with running_redis() as server:
        assert await is_answered(server)
        assert os.listdir(tmp_path)
    assert not await is_answered(server)
    assert os.listdir(tmp_path) == []


async def test_who_listens_on_channels_of_a_prefix_is_counted(redis_program: str) -> None:
    async with running_redis() as server, Redis(port=server.port) as client, client.pubsub() as listener:
        assert await server.subscribers("lab-1") == 0
        await listener.subscribe("lab-1:rooms")
        await listener.get_message(timeout=5)
        assert (await server.subscribers("lab-1"), await server.subscribers("lab-2")) == (1, 0)


async def test_a_taken_port_is_told_in_one_line(redis_program: str) -> None:
    async with running_redis() as first:
        second = RedisServer(port=first.port)
        try:
            with pytest.raises(RedisError, match=r"^redis-server did not start: .*[Ff]ailed.*$"):
                await second.start()
        finally:
            await second.close()


def test_without_redis_server_it_is_said_in_one_line_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"^redis-server is not installed.*: apt install redis-server$"):
        RedisServer()
