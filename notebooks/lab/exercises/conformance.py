"""The conformance suite: checks whether every answer keeps the server's contract.

An answer is a learner's solution of an exercise. The contract says, for example, who receives a message, and what an
ack contains. The suite runs on a fresh server, after an experiment has measured the answer. Each check names the events
that it needs, and runs for the exercises whose server handles these events.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from good_server import events
from lab.clients.chat_ring import poll_until
from lab.exercises import answer_errors
from lab.exercises import conformance_acks as acks
from lab.exercises import conformance_chat as chat
from lab.exercises import conformance_limits as limits
from lab.exercises import conformance_queue as queue
from lab.exercises import conformance_reports as reports
from lab.exercises import conformance_rooms as rooms
from lab.exercises import conformance_tabs as tabs
from lab.exercises.answer_errors import Fault
from lab.exercises.conformance_stage import Finding, Stage, stage
from lab.results.claims import load_two_process_bounds
from lab.servers.target import Target

# no heartbeat may close a tab of a busy machine; the checks do not wait for one
SETTINGS = {
    "SERVER_PING_INTERVAL_SECONDS": "1",
    "SERVER_PING_TIMEOUT_SECONDS": "40",
    "SERVER_SOCKETS_PER_ADDRESS": "2000",
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": "2000",
}
# the library's timers for the heartbeats of closed connections have fired then
FORGET_SECONDS = 6.0

CHAT, TRACKING, ANNOUNCE = {events.CHAT_SEND}, {events.TRACKING_UPDATE}, {events.SYSTEM_ANNOUNCE}
JOIN, LEAVE, REPORT = {events.ROOM_JOIN}, {events.ROOM_LEAVE}, {events.REPORT_REQUEST}
# the events that the module of each mistake serves
SERVED: Mapping[int, frozenset[str]] = {
    number: frozenset(served)
    for number, served in {
        1: CHAT,
        2: REPORT,
        3: CHAT,
        4: CHAT,
        5: CHAT,
        6: CHAT | TRACKING | ANNOUNCE,
        7: CHAT,
        8: CHAT | TRACKING | ANNOUNCE | JOIN,
        9: CHAT | REPORT,
        10: CHAT | JOIN | LEAVE,
    }.items()
}
NOT_TEN = frozenset(SERVED) - {10}


@dataclass(frozen=True)
class Check:
    """One check of the conformance suite: its name, its events, its function.

    The conformance suite checks whether a learner's solution of an exercise keeps the server's contract. The server has
    to handle the events in `needs`. `run` raises `Finding` if the check fails. `only` are the exercises that the check
    is for; None means all exercises. If `crosses` is true, the check also runs on a server of two processes.
    """

    name: str
    needs: frozenset[str]
    run: Callable[[Stage], Awaitable[None]]
    only: frozenset[int] | None = None
    crosses: bool = False

    def is_for(self, number: int) -> bool:
        """Whether the check runs for the exercise with this number."""
        return self.needs <= SERVED[number] and (self.only is None or number in self.only)


async def keep_nothing(stage: Stage) -> None:
    """Check that the server keeps no ids of closed sockets in memory.

    The check first closes all simulated browser tabs, and with them all sockets.
    """
    for tab in stage.open_tabs:
        await stage.close(tab)
    held = await _ids_held(stage)
    if held:
        # a handler may still be at its end when its socket is gone, so this is not the last word
        await poll_until(lambda: _nothing_held(stage), timeout=FORGET_SECONDS)
        held = await _ids_held(stage)
    if held:
        raise Finding(f"all {len(stage.closed_ids)} tabs are closed, but the server still holds {held} of their ids")


async def _ids_held(stage: Stage) -> int:
    return (await stage.target.probe.dead_ids_held(stage.closed_ids))[0]


async def _nothing_held(stage: Stage) -> bool:
    return await _ids_held(stage) == 0


async def look_again(stage: Stage) -> None:
    """Check that no event has arrived late at a wrong tab.

    The check looks again at all events of earlier checks. It fails if a simulated browser tab has received an event
    that it must not receive, or has received an event twice.
    """
    await stage.look_again()


async def raise_nothing(stage: Stage) -> None:
    """Check that no handler and no hook has raised an exception.

    A hook is a method such as `joined`, which runs at a connect. The check reads the exceptions that the server process
    has recorded.
    """
    if text := answer_errors.raised(stage.faults(), stage.source).strip():
        raise Finding(text.rstrip("."))


# they run in this order: checks that end tabs or send floods come last
CHECKS = (
    Check("rooms at connect", frozenset(), chat.fill_the_rooms, crosses=True),
    Check("a message to a user", frozenset(CHAT), chat.reach_a_user, crosses=True),
    Check("the sender's own tabs", frozenset(CHAT), chat.reach_the_own_tabs, crosses=True),
    Check("a message to a room", frozenset(CHAT), chat.reach_a_room, crosses=True),
    Check("strangers and rooms", frozenset(CHAT), chat.keep_strangers_out, crosses=True),
    Check("the true sender", frozenset(CHAT), chat.trust_the_token),
    Check("a repeated message", frozenset(CHAT), acks.deliver_an_id_once),
    Check("no query", frozenset(CHAT), chat.ask_no_table),
    Check("a tab without the room", frozenset(CHAT), chat.ask_each_tab, crosses=True),
    Check("a closed tab", frozenset(CHAT), tabs.survive_a_closed_tab, crosses=True),
    Check("a member's closed tab", frozenset(CHAT), chat.keep_members_in, crosses=True),
    Check("ten tabs", frozenset(CHAT), tabs.reach_many_tabs),
    Check("one tab more", frozenset(CHAT), tabs.make_place_for_one_more, only=frozenset({7})),
    Check("an old tab", frozenset(CHAT), tabs.keep_old_tabs, only=frozenset({7})),
    Check("joining an own room", frozenset(JOIN), rooms.let_members_join),
    Check("leaving and joining again", frozenset(JOIN | LEAVE), rooms.let_members_come_back),
    # the rooms of lesson 10 are open to all on purpose
    Check("joining another's room", frozenset(CHAT | JOIN), rooms.keep_others_out, only=frozenset({8})),
    Check("positions", frozenset(TRACKING), rooms.follow_drivers, crosses=True),
    Check("announcements", frozenset(ANNOUNCE), rooms.announce),
    Check("reports reach their user", frozenset(REPORT), reports.reach_all_tabs, crosses=True),
    Check("outside work", frozenset(REPORT), reports.wait_for_outside_work),
    Check("work that is done", frozenset(REPORT), reports.do_the_work),
    Check("an ack before the work", frozenset(REPORT), queue.ack_before_the_work),
    Check("the loop stays free", frozenset(REPORT), reports.keep_the_loop_free),
    Check("reports that wait", frozenset(REPORT), queue.let_reports_wait),
    Check("few processes", frozenset(REPORT), queue.share_few_processes),
    Check("sixteen rooms", frozenset(JOIN | LEAVE), limits.allow_rooms),
    Check("places that are free again", frozenset(JOIN | LEAVE), limits.free_places),
    Check("nothing comes late", frozenset(), look_again, crosses=True),
    # what follows is no honest traffic any more
    Check("no exception", frozenset(), raise_nothing, crosses=True),
    Check("malformed requests", frozenset(CHAT), limits.refuse_malformed_requests),
    # an answer of lesson 10 may choose limits of its own
    Check("the limit of messages", frozenset(CHAT), limits.keep_the_chat_limit, only=NOT_TEN),
    Check("the limit of positions", frozenset(TRACKING), limits.keep_the_tracking_limit, only=NOT_TEN),
    Check("limited rooms", frozenset(JOIN | LEAVE), limits.limit_rooms),
    Check("limited joins", frozenset(JOIN | LEAVE), limits.limit_joins),
    Check("a limit by user", frozenset(CHAT), limits.count_by_user),
    Check("a flood", frozenset(CHAT), limits.serve_others_during_a_flood),
    Check("nothing is kept", frozenset(), keep_nothing),
)


def checks_for(number: int, *, workers: int = 1) -> list[Check]:
    """Return the checks to run on a solution of an exercise.

    `number` is the number of the exercise, and the checks run on a server of `workers` processes.
    """
    return [check for check in CHECKS if check.is_for(number) and (workers == 1 or check.crosses)]


def needs_two_processes(number: int) -> bool:
    """Whether an exercise is also checked on two server processes.

    The file claims.toml lists these exercises. `number` is the number of the exercise.
    """
    return f"{number:02}" in {bounds.id for bounds in load_two_process_bounds()}


async def run_checks(
    target: Target, checks: Sequence[Check], *, source: str, faults: Callable[[], Sequence[Fault]]
) -> str | None:
    """Run `checks` in order on `target`, until one fails.

    `target` is a fresh server that runs a learner's answer. `source` is the code of the answer, and `faults` returns
    the faults of the answer that were recorded so far. Returns what the failed check has found, as one sentence without
    a full stop, or None if all checks pass.
    """
    async with stage(target, source, faults) as opened:
        for check in checks:
            try:
                await check.run(opened)
            except Finding as finding:
                return str(finding)
    return None
