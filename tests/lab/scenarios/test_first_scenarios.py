"""Tests what scenarios 01 to 06 measure and record for their figures."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from lab.compare.one_run import run_once
from lab.figures.presence_strips import outcome
from lab.figures.square_and_line import growth_per_doubling
from lab.results.claims import load_claims
from lab.results.run import Run
from lab.scenarios.catalogue import load_scenarios
from lab.scenarios.s06_broadcast_to_everyone import companies_of, create_people

CLAIMS = load_claims()
TRIES = 3
SIDES = pytest.mark.parametrize("side", ["bad", "good"])


async def run(number: int, side: str, **parameters: Any) -> Run:
    """Run a scenario once.

    As in a lesson, a run that does not count is repeated.
    """
    claim = CLAIMS[number - 1]
    for _ in range(TRIES):
        measured = await run_once(claim, load_scenarios()[claim.id], side, **parameters)
        if measured.broken is None:
            break
    assert measured.broken is None, measured.broken
    return measured


@pytest.mark.slow
@SIDES
async def test_01_the_ids_held_are_counted_over_time(side: str) -> None:
    measured = await run(1, side, users=6, rounds=2, is_heap_weighed=False, is_traced=True)
    samples = measured.details["samples"]
    held = [sample["ids_held"] for sample in samples if "ids_held" in sample]
    assert (samples[0]["connections"], samples[-1]["connections"]) == (6, 6)
    assert max(sample["connections"] for sample in samples) > 6, "silent connections stay open for a while"
    assert (held[0], held[-1]) == ((6, 18) if side == "bad" else (6, 6))
    assert len(measured.details["lost_at"]) == 2
    assert measured.details["unanswered_pings"]


@pytest.mark.slow
@SIDES
async def test_01_a_message_is_emitted_once_for_each_id_held(side: str) -> None:
    measured = await run(1, side, users=6, rounds=1, is_heap_weighed=False)
    # two ids of the reader and two of the writer, or one emit to both users' rooms
    assert measured.also["emits_per_message"] == (4 if side == "bad" else 1)


@SIDES
async def test_02_each_emit_is_recorded_after_the_reconnect(side: str) -> None:
    measured = await run(2, side, users=3, report_milliseconds=1000, is_traced=True)
    assert measured.details["emitted"] == 3
    assert measured.details["emitted_to_a_socket"] == (0 if side == "bad" else 3)
    for user in measured.details["timeline"]:
        (emitted,) = user["emitted_to_nobody"] if side == "bad" else user["emitted"]
        assert user["asked"] < measured.details["cut"] < user["back"] < emitted
        assert (user["received"] is None) == (side == "bad")


@SIDES
async def test_03_rooms_and_connections_are_counted_over_the_cut(side: str) -> None:
    measured = await run(3, side, users=4, is_traced=True)
    last = measured.details["samples"][-1]
    assert (last["connections"], last["rooms"]) == (4, 0 if side == "bad" else 4)
    assert measured.details["accepted"] == {"before": 4, "after": 4}
    assert [len(user["sent"]) for user in measured.details["timeline"]] == [2, 2, 2, 2]
    assert {len(user["received"]) for user in measured.details["timeline"]} == ({1} if side == "bad" else {2})


@SIDES
async def test_04_an_open_tab_is_reached_and_nobody_who_is_gone(side: str) -> None:
    measured = await run(4, side, users=4, messages=2, is_traced=True)
    assert measured.value == (0 if side == "bad" else 100)
    assert measured.also["ghost_sends"] == (2 if side == "bad" else 0)
    steps, samples = measured.details["steps"], measured.details["samples"]
    assert list(steps) == ["one of two tabs closed", "opened again", "killed", "started again"]
    assert all(before < after for before, after in pairwise(steps.values()))
    known = "rows" if side == "bad" else "in_room"
    one_tab = [sample for sample in samples if sample["seconds"] < steps["opened again"]][-1]
    # the writer closes nothing
    assert (one_tab[known], one_tab["connected"]) == ((1, 5) if side == "bad" else (5, 5))
    assert (samples[-1][known], samples[-1]["connected"]) == ((5, 3) if side == "bad" else (3, 3))


@pytest.mark.slow
@SIDES
async def test_05_a_user_is_taken_for_offline_with_an_open_tab(side: str) -> None:
    measured = await run(5, side, users=4, is_traced=True)
    assert measured.details["sent_on"] == (0 if side == "bad" else 4)
    seen: dict[int, Counter[str]] = {2: Counter(), 1: Counter(), 0: Counter()}
    for user in measured.details["strips"]:
        for message in user["messages"]:
            # messages at the moment of a close count for neither side
            if min(abs(message["at"] - closed) for closed in user["tabs"]) > 0.15:
                seen[sum(message["at"] < closed for closed in user["tabs"])][outcome(message)] += 1
    assert list(seen[2]) == ["arrived"]
    assert list(seen[1]) == (["offline"] if side == "bad" else ["arrived"])
    assert list(seen[0]) == (["offline"] if side == "bad" else ["empty"])


@SIDES
async def test_06_shares_are_per_head_and_only_the_bad_ones_are_all(side: str) -> None:
    measured = await run(6, side, clients=40, positions=1, chats=2)
    shares, concerned = measured.details["received"], measured.details["concerned"]
    found = {
        cell
        for share_row, concerned_row in zip(shares, concerned, strict=True)
        for cell in zip(share_row, concerned_row, strict=True)
    }
    assert found == {(1, True), (1 if side == "bad" else 0, False)}


def test_06_the_platform_is_that_of_the_claims() -> None:
    people = create_people(200)
    assert len(companies_of(200)) == 10
    roles = Counter(person.role for person in people)
    assert roles == {"driver": 20, "admin": 4, "company": 40, "vendor": 68, "provider": 68}


def test_06_a_larger_platform_has_more_companies_not_larger_ones() -> None:
    for clients in (20, 40, 160):
        offices = Counter(person.company for person in create_people(clients) if person.role == "company")
        assert set(offices.values()) == {4}
        assert len(create_people(clients)) == clients


@pytest.mark.slow
async def test_06_broadcasts_grow_with_the_square_and_rooms_do_not() -> None:
    sizes = [20, 40, 80]
    factors = {}
    for side in ("bad", "good"):
        runs = [await run(6, side, clients=clients, positions=1, chats=0) for clients in sizes]
        factors[side] = growth_per_doubling(sizes, [measured.details["deliveries"] for measured in runs])
    assert factors["bad"] == pytest.approx(4)
    assert factors["good"] == pytest.approx(2)
