"""No socket id outlives its socket: a real heap is searched."""

import socket

import pytest
import pytest_asyncio

from ..server_processes import heap_server

WAYS = ["dict-of-ids", "dict-of-users", "dict-of-lists", "list-of-tuples", "set-of-rooms", "deque", "ordered-dict"]
WAYS += ["closure", "task", "bytes"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def child():
    async with heap_server() as child:
        yield child


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def forgetless_child():
    async with heap_server("forgetless") as child:
        yield child


async def test_the_id_of_a_connected_socket_is_found(child, connect):
    tabs = [await connect("ana", to=child) for _ in range(3)]
    ids = [tab.sio.get_sid() for tab in tabs]
    assert await child.held(ids, once_left=3) == set(ids)


async def test_nothing_is_held_of_a_socket_that_chatted_and_was_closed(child, connect):
    ana, bob = await connect("ana", to=child, rooms=["job:17"]), await connect("bob", to=child, rooms=["job:17"])
    ids = [ana.sio.get_sid(), bob.sio.get_sid()]
    for target in ({"to": "bob"}, {"to": "bob", "id": "m-1"}, {"room": "job:17"}):
        await ana.ask("chat:send", target | {"text": "hello"})
    await ana.ask("auth:refresh", {"token": child.token("ana", "admin")})
    for tab in (ana, bob):
        await tab.sio.disconnect()
    assert await child.held(ids, once_left=0) == set()


@pytest.mark.needs("reports")
async def test_nothing_is_held_of_a_socket_with_an_unfinished_report(child, connect):
    asking = await connect("ana", to=child)
    ids = [asking.sio.get_sid()]
    await asking.ask("report:request", {"kind": "outside", "size": 2000})
    await asking.ask("report:request", {"kind": "cpu", "size": 1500})
    await asking.sio.disconnect()
    assert await child.held(ids, once_left=0) == set()


async def test_nothing_is_held_of_sockets_that_were_cut(child, dial):
    wires = [await dial(to=child, token=child.token(f"user-{number}")) for number in range(20)]
    for wire in wires:
        wire.websocket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    assert await child.held([wire.sid for wire in wires], once_left=0) == set()


async def test_nothing_is_held_of_sockets_that_fell_silent(child, dial):
    # bare WebSockets answer no PING
    wires = [await dial(to=child, token=child.token(f"user-{number}")) for number in range(5)]
    assert await child.held([wire.sid for wire in wires], once_left=0) == set()


async def test_nothing_is_held_of_sockets_that_were_thrown_out(child, dial):
    wires = [await dial(to=child, token=child.token("ana")) for _ in range(12)]
    for wire in wires[-10:]:
        await wire.send('42["disconnect"]')
    assert await child.held([wire.sid for wire in wires], once_left=0) == set()


async def test_an_id_that_a_server_keeps_is_found_however_it_is_kept(forgetless_child, connect):
    tabs = {way: await connect(way, to=forgetless_child) for way in WAYS}
    ids = {tab.sio.get_sid(): way for way, tab in tabs.items()}
    for tab in tabs.values():
        await tab.sio.disconnect()
    assert {ids[id] for id in await forgetless_child.held(list(ids), once_left=0)} == set(WAYS)
