"""Rolling restarts of servers while many clients send messages."""

import asyncio
from collections import namedtuple

from .. import client_fleet
from ..stand_in import NOTE_SEND
from ..tokens import production_token
from ..waiting import until

CLIENTS = 500
# enough that a restart interrupts some of them; each sends five times as often
FEW_CLIENTS = 100
# for the whole restart: a message that is never acked fails the test
ROLL_SECONDS = 60.0
# the library's clients wait 0.5 to 1.5 s before they reconnect
BACK_SECONDS = 5.0

Outcome = namedtuple("Outcome", "notes tabs")


async def rolled(http, servers, count, *, urls=None, pause_seconds):
    """Restart each server in turn while `count` clients send to bob.

    The clients connect to `urls`, or without `urls` directly to the servers. Return what each of them sent, with its
    acks, and the tabs of the receiving user bob.
    """
    own_urls = [server.url for server in servers]
    tokens = {f"user-{number}": production_token(f"user-{number}") for number in range(count)}
    sending = client_fleet.sending_clients(http, urls or own_urls, tokens, "bob", pause_seconds=pause_seconds)
    receiving = client_fleet.connected_tabs(http, own_urls, production_token("bob"))
    async with asyncio.timeout(ROLL_SECONDS), receiving as tabs:
        async with sending as notes:
            for server, tab in zip(servers, tabs, strict=True):
                assert await server.end() == 0
                await server.start()
                # a disconnected tab receives nothing, by design: one of bob's two tabs is always connected
                await tab.arrivals.get()
        await fence(http, own_urls, tabs)
    return Outcome(notes, tabs)


async def fence(http, urls, tabs):
    """Wait until each tab of bob has received all earlier messages.

    The user ana sends a last message through each server. All tabs must receive it.
    """
    for url in urls:
        async with client_fleet.connected(http, url, production_token("ana")) as line:
            assert (await line.ask(NOTE_SEND, {"to": "bob", "text": url}))["ok"]
        for tab in tabs:
            await until(lambda tab=tab, url=url: url in tab.received, seconds=ROLL_SECONDS)


def shared_by(redis, prefix):
    """Return settings for processes that share this Redis.

    They allow all clients to connect from the same address.
    """
    return {"redis_url": redis.url, "redis_prefix": prefix, "sockets_per_address": 2 * CLIENTS}


def received_twice(outcome):
    """Return the texts that the same tab received more than once."""
    return [text for tab in outcome.tabs for text, times in tab.times().items() if times > 1]
