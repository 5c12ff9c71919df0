"""Test that each experiment tells its mistake from all other servers.

A wrong answer is refuted with the `tell` of its mistake. So the experiment of each `tell` must work on a server with
this mistake, and must not work on any other server of the diagnosis.
"""

import asyncio
import contextlib

import pytest
from lab.clients.chat_ring import poll_until
from lab.diagnosis.cases import MISTAKES, Ticket, letters, load
from lab.diagnosis.server import STEPS, load_handlers
from lab.diagnosis.suspect import Suspect, heard

JOB = "job:17"
CPU_REPORT = {"kind": "cpu", "size": 500}
OUTSIDE_REPORT = {"kind": "outside", "size": 700}
ARRIVAL_SECONDS = 3.0
# the order in which a server is examined does not matter, because each experiment has users of its own
PAIRS = [choice.mistakes for case in load().case for choice in case.choice if len(choice.mistakes) > 1]
SERVERS = [(), *((number,) for number in MISTAKES), *PAIRS]


async def reached(suspect, tab, text):
    await suspect.settle()
    return any(text in line for line in heard(tab))


async def write(suspect, writer, to, text):
    ack, _ = await suspect.ask(writer, "chat:send", {"to": to, "text": text})
    return ack["ok"]


async def holds_old_ids(suspect):
    tab = await suspect.open("one")
    for _ in range(3):
        assert await suspect.cut(tab)

    async def are_gone():
        return (await suspect.read()).lost_ids_held == 0

    # a server without the mistake needs a moment to notice the last cut
    return not await poll_until(are_gone, timeout=ARRIVAL_SECONDS)


async def loses_reports(suspect):
    tab, friend = await suspect.open("two"), await suspect.open("two-friend")
    await suspect.ask(tab, "report:request", OUTSIDE_REPORT)
    assert await suspect.cut(tab)
    await suspect.ask(tab, "session:login", {})
    await write(suspect, friend, "two", "are you there?")
    assert await reached(suspect, tab, "are you there?")
    with contextlib.suppress(TimeoutError):
        await tab.received("report:ready", timeout=ARRIVAL_SECONDS)
        return False
    return True


async def is_deaf_after_a_reconnect(suspect):
    tab, friend = await suspect.open("three"), await suspect.open("three-friend")
    assert await suspect.cut(tab)
    await write(suspect, friend, "three", "before")
    before = await reached(suspect, tab, "before")
    await suspect.ask(tab, "session:login", {})
    await write(suspect, friend, "three", "after")
    assert await reached(suspect, tab, "after")
    return not before


async def two_tabs(suspect, user, rooms=()):
    """Open two tabs of a user, close the older, return the other."""
    older = await suspect.open(user, rooms=rooms)
    newer = await suspect.open(user, rooms=rooms)
    connections = (await suspect.target.probe.read()).connections
    was_open = older.sid is not None
    await older.close()

    async def is_noticed():
        return (await suspect.target.probe.read()).connections < connections

    if was_open:
        await poll_until(is_noticed, timeout=ARRIVAL_SECONDS)
    # a server with mistake 07 may have ended the newer tab first
    await poll_until(lambda: asyncio.sleep(0, newer.sid), timeout=ARRIVAL_SECONDS)
    if newer.connects > 1:
        await suspect.ask(newer, "session:login", {})
    return newer


async def forgets_the_job_room(suspect):
    newer = await two_tabs(suspect, "four", (JOB,))
    ack, _ = await suspect.ask(newer, "chat:send", {"room": JOB, "text": "still here"})
    return not ack["ok"]


async def takes_for_offline(suspect):
    newer, friend = await two_tabs(suspect, "five"), await suspect.open("five-friend")
    assert await write(suspect, friend, "five", "are you there?")
    return not await reached(suspect, newer, "are you there?")


async def tells_everybody(suspect):
    one, _, third = [await suspect.open(user) for user in ("six", "six-friend", "six-stranger")]
    assert await write(suspect, one, "six-friend", "between us")
    return await reached(suspect, third, "between us")


async def allows_one_tab(suspect):
    older, newer = await suspect.open("seven"), await suspect.open("seven")

    async def have_fought():
        return older.connects > 1 and newer.connects > 1

    fought = await poll_until(have_fought, timeout=ARRIVAL_SECONDS)
    await asyncio.gather(older.close(), newer.close())
    return fought


async def believes_the_client(suspect):
    tab, victim = await suspect.open("eight"), await suspect.open("eight-victim")
    joined, _ = await suspect.ask(tab, "room:join", {"room": "user:eight-victim"})
    forged = {"to": "eight-victim", "text": "trust me", "from": {"id": "boss", "role": "admin"}}
    await suspect.ask(tab, "chat:send", forged)
    believed = await reached(suspect, victim, "boss")
    assert joined["ok"] == believed
    return believed


async def works_in_the_handler(suspect):
    asker, other = await suspect.open("nine"), await suspect.open("nine-other")
    await asker.send("report:request", CPU_REPORT)
    # the request has arrived when the loop stalls, or when the report is being made elsewhere
    waiting = asyncio.create_task(asker.received("report:ready", timeout=30))
    acks = []
    while not waiting.done():
        acks.append(await suspect.ask(other, "lab:settle", {}))
        await asyncio.sleep(0.01)
    await waiting
    # while the report is made, a healthy server answers again and again
    return len(acks) <= 5


async def refuses_nothing(suspect):
    tab = await suspect.open("ten")
    outcomes = await suspect.flood(tab, "chat:send", {"to": "ten", "text": "again"}, 200)
    return outcomes == {"ok": 200}


EXPERIMENTS = dict(
    enumerate(
        (
            holds_old_ids,
            loses_reports,
            is_deaf_after_a_reconnect,
            forgets_the_job_room,
            takes_for_offline,
            tells_everybody,
            allows_one_tab,
            believes_the_client,
            works_in_the_handler,
            refuses_nothing,
        ),
        1,
    )
)


async def examine(mistakes, numbers):
    """Return which of the experiments `numbers` work on a server."""
    suspect = Suspect(ticket_of(mistakes))
    try:
        await suspect.start()
        return [number for number in numbers if await EXPERIMENTS[number](suspect)]
    finally:
        await suspect.stop()


def ticket_of(mistakes):
    """Return a ticket of a server with these mistakes."""
    kind = "exam" if len(mistakes) < 2 else "practice"
    tickets = (Ticket(kind, seed, letter) for seed in range(1000) for letter in letters(kind))
    return next(ticket for ticket in tickets if ticket.open().mistakes == mistakes)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("mistakes", SERVERS, ids=lambda mistakes: "+".join(map(str, mistakes)) or "none")
async def test_only_its_own_experiments_work_on_a_server(mistakes):
    assert await examine(mistakes, MISTAKES) == list(mistakes)


async def test_one_experiment_tells_a_mistake_from_none():
    assert await examine((6,), [6]) == [6]
    assert await examine((), [6]) == []


def test_two_mistakes_of_a_server_do_not_share_a_part():
    assert PAIRS
    for pair in PAIRS:
        parts = [part for number in pair for part in parts_of(number)]
        assert len(parts) == len(set(parts))


@pytest.mark.parametrize("number", MISTAKES)
def test_a_server_takes_over_something_of_its_mistake(number):
    assert parts_of(number)


def parts_of(number):
    """Return the events and the steps of a mistake."""
    handlers = load_handlers(number)
    return [*load().mistake[number - 1].events, *(step for step in STEPS if step in vars(handlers))]
