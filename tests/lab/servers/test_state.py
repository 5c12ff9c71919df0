"""Tests what the probe shows of rooms, database rows and emits."""

from collections.abc import AsyncIterator

import pytest
from lab.clients.tab import Person, tabs
from lab.servers.process import Server
from lab.servers.running import running
from lab.servers.state_client import StateClient

MEMBER = Person("ana", rooms=("job:17",))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running("good") as server:
        yield server


async def test_occupants_are_the_sockets_of_a_room_with_all_rooms(server: Server) -> None:
    async with tabs(server.target(0), [MEMBER, Person("ben")]) as (ana, _):
        occupants = await StateClient(server.probe).occupants("/", "job:17")
    assert list(occupants) == ana.ids
    assert {"job:17", "user:ana", "role:vendor"} <= set(occupants[ana.ids[0]])


async def test_only_rooms_with_a_socket_are_occupied(server: Server) -> None:
    async with tabs(server.target(0), [MEMBER]):
        occupied = await StateClient(server.probe).occupied("/", ["user:ana", "user:ben", "job:17"])
    assert occupied == ["user:ana", "job:17"]


async def test_an_emit_is_recorded_with_its_rooms_and_sockets(server: Server) -> None:
    state = StateClient(server.probe)
    async with tabs(server.target(0), [MEMBER]) as (ana,):
        await ana.ask("chat:send", {"to": "ben", "text": "before the recording"})
        assert await state.emits() == []
        await state.record_emits()
        await ana.ask("chat:send", {"to": "ben", "text": "hello"})
        (emit,) = await state.emits()
    # ben has no socket, the writer has one
    assert (emit.event, emit.rooms, emit.reached) == ("chat:message", ("user:ben", "user:ana"), 1)


async def test_a_recording_does_not_count_as_an_id_that_is_held(server: Server) -> None:
    state, marker = StateClient(server.probe), "an-address-that-only-the-recording-holds"
    await state.record_emits()
    async with tabs(server.target(0), [MEMBER]) as (ana,):
        await ana.ask("chat:send", {"to": marker, "text": "anyone?"})
    assert any(f"user:{marker}" in emit.rooms for emit in await state.emits())
    assert await server.probe.dead_ids_held([marker]) == (0, 0)


async def test_rows_are_counted_without_counting_as_the_servers_sql() -> None:
    async with running("bad") as server, tabs(server.target(4), [MEMBER, Person("ben")]):
        await server.probe.reset()
        rows = await StateClient(server.probe).rows()
        counts = await server.probe.counts()
    assert (rows, counts.sql_statements) == (1, 0)


async def test_a_server_without_a_database_has_no_rows(server: Server) -> None:
    assert await StateClient(server.probe).rows() == 0
