"""Test what lesson 12 says about the Redis channels of both libraries."""

import asyncio
import json
from pathlib import Path

import pytest
import socketio
from lab.servers.redis import running_redis
from redis.asyncio import Redis

NODE_SECONDS = 30
ROOMS = ("user:ana", "user:bob")


async def channels_in_node(folder: Path, adapter: str) -> list[str]:
    """Return the channels of a Node server with one room `user:ana`."""
    async with running_redis() as redis:
        script = str(folder / "channels.mjs")
        process = await asyncio.create_subprocess_exec(
            "node", script, redis.url, adapter, stdout=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(NODE_SECONDS):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    channels: list[str] = json.loads(output)
    return channels


@pytest.mark.timeout(240)
async def test_the_sharded_adapter_of_node_has_a_channel_per_room(javascript: Path, redis_program: str) -> None:
    sharded = await channels_in_node(javascript, "sharded")
    assert [channel for channel in sharded if "user:ana" in channel]
    older = await channels_in_node(javascript, "classic")
    assert older
    assert not [channel for channel in older if "user:ana" in channel]


async def test_all_rooms_share_one_channel_in_python(redis_program: str) -> None:
    async with running_redis() as redis, Redis.from_url(redis.url) as client, client.pubsub() as listener:
        await listener.psubscribe("*")
        manager = socketio.AsyncRedisManager(redis.url, write_only=True)
        manager.set_server(socketio.AsyncServer(async_mode="aiohttp", client_manager=manager))
        for room in ROOMS:
            await manager.emit("hello", {}, namespace="/", room=room)
        found = []
        async with asyncio.timeout(10):
            while len(found) < len(ROOMS):
                message = await listener.get_message(ignore_subscribe_messages=True, timeout=1)
                found += [message["channel"]] if message is not None else []
        assert len(set(found)) == 1
        await manager.redis.aclose()
