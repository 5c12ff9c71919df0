"""Test how the probe shows a server's own tables and reports."""

from lab.clients.chat_ring import poll_until
from lab.clients.tab import Person, tabs
from lab.servers.running import running
from lab.servers.state_client import StateClient

from good_server import events

ANA = Person("ana", rooms=("job:17",))


async def records_after_connect(side, lesson):
    async with running(side) as server:
        target = server.target(lesson)
        async with tabs(target, [ANA]) as (tab,):
            found = await StateClient(target.probe).records(target.namespace)
            return found["records"], tab.ids


async def test_the_dict_of_the_bad_server_is_shown():
    records, ids = await records_after_connect("bad", 1)
    assert records == {"socket_ids": {"ana": ids}}


async def test_the_table_of_the_bad_server_is_shown():
    records, _ = await records_after_connect("bad", 4)
    assert records == {"members": [["job:17", "ana"]]}


async def test_the_good_server_has_no_tables():
    records, _ = await records_after_connect("good", 1)
    assert records == {}


async def test_a_report_waits_while_reports_are_held():
    async with running("good") as server:
        target = server.target(2)
        state = StateClient(target.probe)
        async with tabs(target, [ANA]) as (tab,):
            await state.hold_reports()
            job = (await tab.ask(events.REPORT_REQUEST, {"kind": "outside", "size": 1}))["data"]["job"]
            assert (await state.records("/"))["reports"] == {job: ["user:ana"]}
            await state.release_reports()
            assert (await tab.received(events.REPORT_READY))[0].data["job"] == job

            async def is_done():
                return (await state.records("/"))["reports"] == {}

            assert await poll_until(is_done, timeout=5.0)


async def test_reading_the_tables_counts_as_no_statement():
    async with running("bad") as server:
        target = server.target(4)
        async with tabs(target, [ANA]):
            await target.probe.reset()
            await StateClient(target.probe).records(target.namespace)
            assert (await target.probe.counts()).sql_statements == 0
