"""Tests that no socket id stays in memory after its socket closed.

They search the heap of a real server process.
"""

import asyncio
import socket

import pytest
import pytest_asyncio

from ...events import AUTH_REFRESH, REPORT_REQUEST
from ..server_processes import heap_server
from ..stand_in import NOTE_SEND, PRIVILEGED, topic

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


async def test_a_closed_socket_that_sent_messages_leaves_nothing(child, connect):
    ana, bob = await connect("ana", to=child, rooms=[topic("17")]), await connect("bob", to=child, rooms=[topic("17")])
    ids = [ana.sio.get_sid(), bob.sio.get_sid()]
    for target in ({"to": "bob"}, {"to": "bob", "id": "m-1"}, {"room": topic("17")}):
        await ana.ask(NOTE_SEND, target | {"text": "hello"})
    await ana.ask(AUTH_REFRESH, {"token": child.token("ana", PRIVILEGED)})
    for tab in (ana, bob):
        await tab.sio.disconnect()
    assert await child.held(ids, once_left=0) == set()


@pytest.mark.needs("reports")
async def test_a_closed_socket_with_an_open_report_leaves_nothing(child, connect):
    asking = await connect("ana", to=child)
    ids = [asking.sio.get_sid()]
    await asking.ask(REPORT_REQUEST, {"kind": "outside", "size": 2000})
    await asking.ask(REPORT_REQUEST, {"kind": "cpu", "size": 1500})
    await asking.sio.disconnect()
    assert await child.held(ids, once_left=0) == set()


async def test_sockets_that_were_cut_leave_nothing(child, dial):
    # at the same time, as the server closes those that answer no PING
    wires = await asyncio.gather(*(dial(to=child, token=child.token(f"user-{number}")) for number in range(20)))
    for wire in wires:
        wire.websocket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    assert await child.held([wire.sid for wire in wires], once_left=0) == set()


async def test_sockets_that_stop_answering_leave_nothing(child, dial):
    # bare WebSockets answer no PING
    wires = [await dial(to=child, token=child.token(f"user-{number}")) for number in range(5)]
    assert await child.held([wire.sid for wire in wires], once_left=0) == set()


async def test_sockets_that_the_server_closed_leave_nothing(child, dial):
    wires = [await dial(to=child, token=child.token("ana")) for _ in range(12)]
    for wire in wires[-10:]:
        await wire.send('42["disconnect"]')
    assert await child.held([wire.sid for wire in wires], once_left=0) == set()


async def test_an_id_is_found_however_a_server_keeps_it(forgetless_child, connect):
    tabs = {way: await connect(way, to=forgetless_child) for way in WAYS}
    ids = {tab.sio.get_sid(): way for way, tab in tabs.items()}
    for tab in tabs.values():
        await tab.sio.disconnect()
    assert {ids[id] for id in await forgetless_child.held(list(ids), once_left=0)} == set(WAYS)
