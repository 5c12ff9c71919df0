"""Test what each action does on both servers, for all ten mistakes."""

import pytest
from lab.clients.chat_ring import poll_until
from lab.live import reports
from lab.live.arrangement import ARRANGEMENTS, arrangement
from lab.live.session import Session
from lab.live.wanted import ActionError
from lab.servers.state_client import StateClient
from lab.system.exit_codes import UsageError

from good_server import events

from .evidence import assert_nothing_is_invented, in_events

# only against a hang: on a busy machine a server needs long to start
pytestmark = pytest.mark.timeout(240)
HALF_OPEN_SECONDS = 8.0


async def play(session, *actions):
    """Do actions, each as `(name, tab, more)`, and return the last answer."""
    answer = {}
    for name, tab, more in actions:
        answer = await session.do({"action": name, "tab": tab, **more})
        assert answer["ok"]
    return answer


def send(tab, to):
    return ("send", tab, {"to": to})


def do(name, tab=None, **more):
    return (name, tab, more)


def counters(session, side):
    return session.sides[side].state()["counters"]


def of_kind(session, side, kind):
    return [event for event in session.stream.events if (event.side, event.kind) == (side, kind)]


async def test_a_reconnected_tab_is_lost_to_the_bad_server():
    async with Session(arrangement("03")) as session:
        answer = await play(session, send("ana/1", "user:ben"), do("cut", "ben/1"), do("back", "ben/1"))
        assert "Ben's tab 1 is connected, but in no room" in answer["happened"]
        await play(session, send("ana/1", "user:ben"))
        assert counters(session, "bad") == {"delivered": 1, "lost": 1, "wasted": 1, "kept": 0}
        assert counters(session, "good") == {"delivered": 2, "lost": 0, "wasted": 0, "kept": 0}
        assert_nothing_is_invented(session)


@pytest.mark.slow
async def test_dead_ids_pile_up_and_get_messages():
    async with Session(arrangement("01")) as session:
        rounds = [do("cut", "ben/1"), do("back", "ben/1")] * 2
        await play(session, *rounds, send("ana/1", "user:ben"))
        assert counters(session, "bad") == {"delivered": 1, "lost": 0, "wasted": 2, "kept": 2}
        assert counters(session, "good") == {"delivered": 1, "lost": 0, "wasted": 0, "kept": 0}
        assert len(session.sides["bad"].board.named["socket_ids"]["ben"]) == 3
        assert_nothing_is_invented(session)


@pytest.mark.slow
async def test_the_ticket_of_a_job_leads_to_a_dead_id():
    async with Session(arrangement("02")) as session:
        await play(session, do("report", "ana/1"))
        sid = session.sides["bad"].tabs["ana/1"].sid
        assert list(session.sides["bad"].board.named["reports"].values()) == [[sid]]
        assert list(session.sides["good"].board.named["reports"].values()) == [["user:ana"]]
        await play(session, do("cut", "ana/1"), do("back", "ana/1"), do("finish"))
        assert counters(session, "bad") == {"delivered": 0, "lost": 1, "wasted": 1, "kept": 0}
        assert counters(session, "good") == {"delivered": 1, "lost": 0, "wasted": 0, "kept": 0}
        assert_nothing_is_invented(session)


@pytest.mark.slow
@pytest.mark.parametrize("read", ["emits", "records"])
async def test_reports_may_end_while_the_memory_is_read(monkeypatch, read):
    original, all_emits, records = getattr(StateClient, read), StateClient.emits, StateClient.records

    async def read_after_the_end(state, *args, **kwargs):
        """End all reports, and read only after both were sent."""

        async def have_ended():
            sent = [emit for emit in await all_emits(state) if emit.event == events.REPORT_READY]
            return len(sent) == 2 and not (await records(state, "/"))["reports"]

        await state.release_reports()
        assert await poll_until(have_ended, timeout=60)
        return await original(state, *args, **kwargs)

    async with Session(arrangement("02")) as session:
        await play(session, do("report", "ana/1"), do("report", "ben/1"))
        with monkeypatch.context() as patched:
            patched.setattr(StateClient, read, read_after_the_end)
            for side in session.sides.values():
                await side.look()
        for side in session.sides.values():
            await side.look()
            assert side.open_reports == 0
            assert counters(session, side.name) == {"delivered": 2, "lost": 0, "wasted": 0, "kept": 0}


@pytest.mark.slow
async def test_closing_one_tab_deletes_the_row_of_the_other():
    async with Session(arrangement("04")) as session:
        answer = await play(session, do("close", "ben/2"))
        assert "its table does not list Ben" in answer["happened"]
        await play(session, send("ana/1", "room:job:17"))
        assert counters(session, "bad") == {"delivered": 1, "lost": 1, "wasted": 0, "kept": 0}
        assert counters(session, "good") == {"delivered": 2, "lost": 0, "wasted": 0, "kept": 0}
        assert_nothing_is_invented(session)


@pytest.mark.slow
async def test_rows_stay_when_the_server_was_killed():
    async with Session(arrangement("04")) as session:
        await play(session, do("kill"), do("cut", "eva/1"), do("restart"), send("ana/1", "job:17"))
        assert counters(session, "bad") == {"delivered": 2, "lost": 1, "wasted": 1, "kept": 1}
        assert counters(session, "good") == {"delivered": 2, "lost": 1, "wasted": 0, "kept": 0}
        assert_nothing_is_invented(session)


@pytest.mark.slow
async def test_closing_one_tab_makes_the_user_unreachable():
    async with Session(arrangement("05")) as session:
        await play(session, do("close", "ben/2"), send("ana/1", "user:ben"))
        assert "ben" not in session.sides["bad"].board.named["online_since"]
        assert counters(session, "bad") == {"delivered": 0, "lost": 1, "wasted": 0, "kept": 0}
        assert counters(session, "good") == {"delivered": 1, "lost": 0, "wasted": 0, "kept": 0}
        assert_nothing_is_invented(session)


@pytest.mark.slow
async def test_a_position_reaches_everyone_in_the_crowd():
    async with Session(arrangement("06")) as session:
        await play(session, do("drive", "dan/1"), do("crowd", count=20), do("drive", "dan/1"))
        people = len(session.sides["bad"].tabs)
        assert counters(session, "good") == {"delivered": 4, "lost": 0, "wasted": 0, "kept": 0}
        assert counters(session, "bad") == {"delivered": 4, "lost": 0, "wasted": 2 * (people - 2) + 20, "kept": 0}
        traffic = {name: side.board.named["traffic"] for name, side in session.sides.items()}
        assert traffic["bad"]["last_deliveries"] == people + 20
        assert traffic["good"]["last_deliveries"] == 2
        assert traffic["bad"]["last_bytes"] > 5 * traffic["good"]["last_bytes"]
        assert_nothing_is_invented(session)


@pytest.mark.slow
async def test_a_round_costs_the_square_of_the_clients_or_a_line():
    async with Session(arrangement("06")) as session:
        for count in (20, 50):
            await play(session, do("crowd", count=count), do("round"))
        few, many = (len(session.sides["bad"].tabs) + count for count in (20, 50))
        deliveries = {
            name: {int(clients): found["deliveries"] for clients, found in side.board.named["rounds"].items()}
            for name, side in session.sides.items()
        }
        # every driver to every client
        assert deliveries["bad"] == {few: 3 * few, many: 6 * many}
        # every driver to the company user and the admin
        assert deliveries["good"] == {few: 3 * 2, many: 6 * 2}
        assert counters(session, "good") == {"delivered": 18, "lost": 0, "wasted": 0, "kept": 0}
        assert_nothing_is_invented(session)


@pytest.mark.slow
async def test_two_tabs_of_a_user_end_each_other():
    async with Session(arrangement("07")) as session:
        await play(session, do("pace", pace="short"), do("open", "ana/1"))
        bad, good = session.sides["bad"], session.sides["good"]
        await bad.tabs["ana/1"].tab.connected(3)
        assert good.tabs["ana/1"].tab.connects == 1
        # a message may come in the moment when the server has both, but not each time
        for sent in range(1, 6):
            await play(session, send("eva/1", "user:ana"))
            assert counters(session, "good") == {"delivered": 2 * sent, "lost": 0, "wasted": 0, "kept": 0}
            assert_nothing_is_invented(session)
            if counters(session, "bad")["lost"]:
                break
        assert counters(session, "bad")["lost"] >= 1


@pytest.mark.slow
async def test_an_attacker_reads_and_forges_only_at_the_bad_server():
    async with Session(arrangement("08")) as session:
        answer = await play(session, do("join", "mallory/1", room="user:ben"))
        assert answer["answers"]["bad"]["ok"]
        assert answer["answers"]["good"]["error"]["code"] == "forbidden"
        await play(session, send("ana/1", "user:ben"))
        assert in_events(session, "bad") == {"ben/1": 1, "mallory/1": 1}
        assert in_events(session, "good") == {"ben/1": 1}
        answer = await play(session, ("forge", "mallory/1", {"to": "user:ben", "as": "ana"}))
        assert "Ben's tab 1 shows it as a message of Ana" in answer["happened"]
        assert answer["answers"]["good"]["error"]["code"] == "invalid"
        assert counters(session, "good")["lost"] == 0
        assert_nothing_is_invented(session)


@pytest.mark.timing
async def test_a_report_freezes_the_bystanders_of_the_bad_server():
    async with Session(arrangement("09")) as session:
        await play(session, do("compute", "ana/1"))
        measured = {
            "bad": session.sides["bad"].board.named["ways"]["handler"],
            "good": session.sides["good"].board.named["ways"]["process"],
        }
        # the report burns 1000 ms of CPU time: in the handler, or in a process of its own
        assert measured["bad"]["stall"] >= 1000 > measured["good"]["stall"]
        assert measured["bad"]["slowest"] > measured["good"]["slowest"]
        frozen = [
            event.more["value"] for event in session.stream.events if event.room == "pulses" and event.side == "bad"
        ]
        assert any(pulses.count(None) == len(pulses) for pulses in frozen)


@pytest.mark.slow
async def test_the_bad_server_makes_reports_in_four_ways(monkeypatch):
    # on a busy machine each of the four reports takes many times its CPU time
    monkeypatch.setattr(reports, "COMPUTE_MILLISECONDS", 300)
    async with Session(arrangement("09")) as session:
        bad, good = session.sides["bad"], session.sides["good"]
        await play(session, do("compute", "ana/1"))
        turns = []
        for way in ("thread", "sliced", "process"):
            await play(session, do("way", way=way), do("compute", "ana/1"))
            turns.append(bad.board.named["loop"]["turns"])
        assert list(bad.board.named["ways"]) == ["handler", "thread", "sliced", "process"]
        assert list(good.board.named["ways"]) == ["process"]
        # the handler computes the whole report in one turn of the loop, the slices do not
        assert bad.board.named["ways"]["handler"]["stall"] >= 300
        assert turns == sorted(set(turns))
        assert counters(session, "bad") == {"delivered": 4, "lost": 0, "wasted": 0, "kept": 0}
        await play(session, do("kill"), do("restart"), send("ana/1", "user:ben"))
        assert bad.extras.way == "process"
        # bystanders write all the time, and their rooms are not those of the message
        rooms = {event.room for event in session.stream.events if event.kind == "room"}
        assert rooms == {"user:ana", "user:ben"}
        assert_nothing_is_invented(session)


@pytest.mark.slow
async def test_a_flood_empties_the_bucket_of_the_good_server():
    async with Session(arrangement("10")) as session:
        await play(session, do("flood", "mallory/1"), do("rooms", "mallory/1"))
        good, bad = (session.sides[name].board.named for name in ("good", "bad"))
        assert bad["flood"]["accepted"] == bad["flood"]["sent"]
        assert good["flood"]["refused"] > 0 < good["flood"]["retry_after"]
        assert len(good["bucket"]["levels"]) == good["flood"]["sent"]
        assert bad["bucket"]["levels"] == []
        # it fills again, as the server itself says
        (*_, (_, last, _)) = good["bucket"]["levels"]
        assert last < good["bucket"]["now"]
        assert "now" not in bad["bucket"]
        assert bad["joined"]["accepted"] == bad["joined"]["sent"]
        assert good["joined"]["accepted"] == 0
        assert counters(session, "bad")["delivered"] == bad["flood"]["accepted"]
        assert counters(session, "good")["delivered"] == good["flood"]["accepted"]
        await play(session, do("burst", "ana/1"))
        assert good["flood"] != session.sides["good"].board.named["flood"]
        assert session.sides["good"].board.named["flood"]["refused"] == 0
        assert counters(session, "good")["lost"] == counters(session, "bad")["lost"] == 0
        assert_nothing_is_invented(session)


@pytest.mark.slow
async def test_the_server_notices_a_tunnel_only_by_its_heartbeat():
    async with Session(arrangement("01")) as session:
        good = session.sides["good"]
        sid = good.tabs["ben/1"].sid
        await play(session, do("tunnel", "ben/1"), send("ana/1", "user:ben"))
        assert sid in good.memory.rooms_of
        assert counters(session, "good")["lost"] == 1
        assert await good.wait_for(lambda: sid not in good.memory.rooms_of, timeout=HALF_OPEN_SECONDS)
        await play(session, do("back", "ben/1"), send("ana/1", "user:ben"))
        assert counters(session, "good")["delivered"] == 1
        assert_nothing_is_invented(session)


@pytest.mark.slow
async def test_a_server_that_ends_by_itself_is_shown_as_down():
    async with Session(arrangement("03")) as session:
        bad = session.sides["bad"]
        # not through the hand: the page must learn it from the probe
        await bad.target.server.kill()
        assert await bad.wait_for(lambda: not bad.is_running, timeout=5.0)
        assert bad.state()["memory"]["server"] == "down"
        assert session.sides["good"].is_running
        answer = await play(session, do("restart"), send("ana/1", "user:ben"))
        assert "delivered to Ben's tab 1" in answer["happened"].partition("The good server")[2]


REFUSED = [
    ({"action": "fly"}, "the actions are"),
    ({"action": "send", "tab": "zoe/9"}, "no such tab"),
    ({"action": "send", "tab": ["ana/1"]}, "no such tab"),
    ({"action": "send", "tab": "ana/1", "to": "user:root"}, "a message goes to one of"),
    ({"action": "back", "tab": "ana/1"}, "is in already"),
    ({"action": "restart"}, "both servers run"),
    ({"action": "drive", "tab": "ana/1"}, "the actions are"),
    ({"action": "way", "way": "thread"}, "the actions are"),
]


async def test_an_impossible_action_is_refused_in_one_line():
    async with Session(arrangement("03")) as session:
        before = session.stream.seq
        for body, reason in REFUSED:
            with pytest.raises(ActionError, match=reason) as caught:
                await session.do(body)
            assert "\n" not in str(caught.value)
        assert [event.kind for event in session.stream.events if event.seq > before and event.kind != "memory"] == []


def test_an_arrangement_that_does_not_exist_is_refused():
    for text in ("11", "0", "three", "-1"):
        with pytest.raises(UsageError, match="there are 01, 02"):
            arrangement(text)


def test_every_mistake_has_an_arrangement():
    assert sorted(ARRANGEMENTS) == list(range(1, 11))
