"""Tests of rows 25 and 26 of `WITHSTANDS.md`. Clients send too many events and join too many rooms."""

import asyncio
import json
import time

import pytest

from ...events import ROOM_JOIN
from ...rooms import role_room, user_room
from ..entitlements import Everything
from ..pace import Lateness, check_pace
from ..server_processes import running_child, watched_server
from ..servers import ONE_ADDRESS
from ..stand_in import LEAVE, NOTES_PER_SECOND, PRIVILEGED, topic
from ..wire import bare

FLOOD_SECONDS = 3
SLOW_EVENTS = 200
MANY_ROOMS = 1500
# memory in MB that a server may keep after an attack: the allocator's slack
SLACK_MB = 8
# a connection may keep one read of the event loop (256 KB) beyond its backlog
FRAME_MB = 0.5
UNLIMITED = {"events_per_second": 1e9, NOTES_PER_SECOND: 1e9}


@pytest.fixture
def bob(server, new_tab):
    """`await bob(url)` connects the uninvolved user bob to the server at `url`."""

    async def open_tab(url):
        tab = new_tab()
        await tab.connect(url, server.token("bob"))
        return tab

    return open_tab


async def check_flood(child, token):
    """Assert that a flooding client is rate limited and then disconnected."""
    async with running_child("attackers", "flood", child.url, token, str(FLOOD_SECONDS)) as attacker:
        result = json.loads(await attacker.line())
    assert result["sent"] > 1000
    assert result["codes"].get("rate_limited"), "was not rate limited"
    assert result["waits"] == result["codes"]["rate_limited"]
    assert result["least"] > 0
    assert result["is_closed"], "was not closed"


@pytest.mark.timing
@pytest.mark.timeout(120)
async def test_row_25_a_flooder_is_slowed_then_closed_without_lag(server, bob):
    async with watched_server() as child:
        tab = await bob(child.url)
        # the first flood allocates what the server keeps for later ones
        await check_flood(child, server.token("ana"))
        before = await child.ask(user_room("bob"))
        await check_flood(child, server.token("eve"))
        after = await child.ask(user_room("bob"))
        assert after["rss_mb"] - before["rss_mb"] < SLACK_MB
        assert (await tab.ask(*LEAVE))["ok"]
        check_pace([after])


async def test_row_25_fails_when_the_loop_is_blocked():
    lateness = Lateness()
    asyncio.get_running_loop().call_soon(time.sleep, 0.2)
    answer = await lateness.asked()
    lateness.end()
    with pytest.raises(AssertionError, match="the loop was behind"):
        check_pace([answer])


@pytest.mark.timing
async def test_row_25_fails_without_its_defence(server):
    async with watched_server(**UNLIMITED) as child:
        with pytest.raises(AssertionError, match="was not rate limited"):
            await check_flood(child, server.token("ana"))


FRAME_LAG_MS = 50
FRAME_CLIENTS = 20


@pytest.mark.timing
@pytest.mark.engine
@pytest.mark.parametrize("kind", ["pings", "pongs", "fragments", "texts", "acks"])
async def test_row_41_a_million_tiny_frames_do_not_hold_the_loop(bob, kind):
    async with watched_server(**ONE_ADDRESS) as child:
        tab = await bob(child.url)
        before = await child.ask(user_room("bob"))
        async with running_child("attackers", "frames", child.url, kind, str(FRAME_CLIENTS)) as attacker:
            assert json.loads(await attacker.line()) == {"closed": FRAME_CLIENTS}
        after = await child.ask(user_room("bob"))
        assert (await tab.ask(*LEAVE))["ok"]
        assert after["rss_mb"] - before["rss_mb"] < FRAME_CLIENTS * FRAME_MB
        check_pace([after], most_late_ms=FRAME_LAG_MS)


class Slow:
    """A slow entitlement service that counts its concurrent calls."""

    def __init__(self):
        self.now = self.most = 0

    async def may_join(self, identity, room):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001 if int(room.rpartition(":")[2]) % 2 else 0.003)
        self.now -= 1
        return False


async def check_slow(server, slow):
    """Assert that slow events of one client run one at a time."""
    async with bare(server.url, server.token("ana")) as ana:
        for number in range(1, SLOW_EVENTS + 1):
            ana.send(f"42{number}{json.dumps([ROOM_JOIN, {'room': topic(number)}])}")
        frames = [await ana.frame() for _ in range(SLOW_EVENTS)]
    assert slow.most == 1, "many were in flight"
    assert [frame.partition("[")[0] for frame in frames] == [f"43{number}" for number in range(1, SLOW_EVENTS + 1)]


async def test_row_25_slow_events_run_one_at_a_time_and_in_order(serve, connect):
    slow = Slow()
    server = await serve(entitlements=slow, **UNLIMITED)
    tab = await connect("bob", to=server)
    checking = asyncio.create_task(check_slow(server, slow))
    await asyncio.sleep(0)
    # the bystander's event does not wait for ana's
    assert (await tab.ask(*LEAVE))["ok"]
    assert not checking.done()
    await checking


@pytest.mark.needs("delivery")
async def test_row_25_fails_when_slow_events_run_at_once(serve, monkeypatch):
    # imported here, as the part may be deleted
    from ...delivery.engine import Socket

    slow, take, tasks = Slow(), Socket._dispatch, []

    async def at_once(self, data):
        tasks.append(asyncio.create_task(take(self, data)))

    monkeypatch.setattr(Socket, "_dispatch", at_once)
    server = await serve(entitlements=slow, delivery="engine", **UNLIMITED)
    with pytest.raises(AssertionError, match="many were in flight"):
        await check_slow(server, slow)
    await asyncio.gather(*tasks)


async def codes_of(ana, rooms):
    """Try to join each of these rooms. Return `ok` or the error code for each."""
    for number, room in enumerate(rooms, start=10):
        ana.send(f"42{number}{json.dumps([ROOM_JOIN, {'room': room}])}")
    acks = [await ana.ack(number) for number in range(10, 10 + len(rooms))]
    return ["ok" if ack["ok"] else ack["error"]["code"] for ack in acks]


async def check_rooms(server, tab):
    """Assert that one socket cannot create thousands of rooms."""
    most = 16
    async with bare(server.url, server.token("ana")) as ana:
        before = set(server.sio.manager.rooms["/"])
        codes = await codes_of(ana, [topic(number) for number in range(MANY_ROOMS)])
        made = set(server.sio.manager.rooms["/"]) - before
    assert len(made) <= most, "rooms were created"
    assert codes == ["ok"] * most + ["too_many_rooms"] * (MANY_ROOMS - most)
    assert (await tab.ask(*LEAVE))["ok"]


async def test_row_26_one_socket_cannot_create_thousands_of_rooms(serve, connect):
    server = await serve(entitlements=Everything(), **UNLIMITED)
    await check_rooms(server, await connect("bob", to=server))


async def test_row_26_fails_without_its_defence(serve, connect):
    server = await serve(entitlements=Everything(), rooms_per_socket=10**6, **UNLIMITED)
    with pytest.raises(AssertionError, match="rooms were created"):
        await check_rooms(server, await connect("bob", to=server))


async def test_row_26_no_room_is_created_for_a_refused_name(serve, connect):
    server = await serve(**UNLIMITED)
    bob = await connect("bob", to=server, rooms=[topic("17")])
    malformed = [topic(""), topic("x" * 129), topic("a b"), "", topic("17").upper(), topic("17\n"), bob.sio.get_sid()]
    others = [topic("17"), topic("18"), user_room("bob"), user_room("ana"), role_room(PRIVILEGED)]
    async with bare(server.url, server.token("ana")) as ana:
        before = set(server.sio.manager.rooms["/"])
        codes = await codes_of(ana, malformed + others)
        assert set(server.sio.manager.rooms["/"]) == before
    assert codes == ["invalid"] * len(malformed) + ["forbidden"] * len(others)
    await server.sio.emit("news", 1, room=[user_room("bob")])
    assert await bob.receives("news") == 1
    assert server.members(topic("17")) == 1
