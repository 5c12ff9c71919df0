"""Scenario 02: count the reports that arrive after a reconnect.

Users ask for reports, lose their connections, and reconnect before the reports are ready.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from good_server import events
from good_server.rooms import user_room
from lab.clients.chat_ring import cut_and_reconnect, people, wait_until_delivered
from lab.clients.inbox import Received
from lab.clients.tab import Person, Tab, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.probe import Counts
from lab.servers.state_client import Emit, StateClient
from lab.servers.target import Target

# added to the time that a report takes; a report that arrives later counts as lost
PATIENCE_SECONDS = 5.0
# from the last request to the cut in a traced run, so that its figure shows them apart
WAIT_SECONDS = 0.3


async def run(
    target: Target,
    *,
    seed: int = 7,
    users: int = 50,
    tabs_each: int = 1,
    report_milliseconds: int = 1500,
    is_traced: bool = False,
) -> Run:
    """Measure the percentage of tabs that receive their user's report exactly once.

    Each user has `tabs_each` tabs and requests one report, which takes `report_milliseconds` to make. Meanwhile all
    these tabs lose their connections and reconnect. The percentage is the `value` of the returned run. `seed` has no
    effect, because nothing is random. With `is_traced`, a server of one process also records when, and to which rooms,
    it emits the reports.
    """
    clock, state = asyncio.get_running_loop().time, StateClient(target.probe)
    report_seconds = report_milliseconds / 1000
    asking = [person for person in people(users) for _ in range(tabs_each)]
    async with (
        tabs(target, asking, reconnection=True) as opened,
        tabs(target, [Person("user-who-stays")]) as (connected_tab,),
    ):
        await target.probe.reset()
        if is_traced:
            await state.record_emits()
        started = clock()
        # the first tab of each user
        asked = [(clock(), await _ask_for_report(tab, report_milliseconds)) for tab in opened[::tabs_each]]
        jobs = [job for _, job in asked]
        last_job = await _ask_for_report(connected_tab, report_milliseconds)
        await asyncio.sleep(WAIT_SECONDS if is_traced else 0)
        cut_at = clock()
        await cut_and_reconnect(opened)
        spare_seconds = report_seconds - (clock() - started)
        is_last_report_received = await _wait_for_report(connected_tab, last_job, report_seconds + PATIENCE_SECONDS)
        await wait_until_delivered(opened)
        counts, emits = await target.probe.counts(), _to_users(await state.emits(), connected_tab)
    arrivals = [_reports(tab, jobs[index // tabs_each]) for index, tab in enumerate(opened)]
    log = _Log(started, cut_at, emits)
    timeline = [log.timeline(tab, asked[index // tabs_each][0], arrivals[index]) for index, tab in enumerate(opened)]
    details = {"asked_for_seconds": report_seconds, **log.summary(), "timeline": timeline}
    value = 100 * sum(len(received) == 1 for received in arrivals) / len(opened)
    broken = _failed_precondition(jobs, spare_seconds, is_last_report_received)
    return Run(value, _also(target, counts, jobs), broken, details)


def _also(target: Target, counts: Counts, jobs: Sequence[str | None]) -> dict[str, float]:
    return {
        # with several processes a worker sends the reports, and a worker has no probe
        "sent_into_the_void": counts.ghost_addresses if len(target.ports) == 1 else float("nan"),
        "errors_seen": counts.errors_logged + jobs.count(None),
    }


def _to_users(emits: Sequence[Emit], connected_tab: Tab) -> list[Emit]:
    """Return the emits of reports to users whose connections were cut.

    `connected_tab` is the tab of the user who stays connected.
    """
    own = {connected_tab.ids[-1], user_room(connected_tab.user)}
    return [emit for emit in emits if emit.event == events.REPORT_READY and own.isdisjoint(emit.rooms)]


async def _ask_for_report(tab: Tab, milliseconds: int) -> str | None:
    """Request a report; return the id of the job that makes it.

    `milliseconds` is how long it takes to make the report. Returns None when the server refuses the request.
    """
    ack = await tab.ask(events.REPORT_REQUEST, {"kind": "outside", "size": milliseconds})
    return ack["data"]["job"] if ack.get("ok") else None


async def _wait_for_report(connected_tab: Tab, job: str | None, timeout: float) -> bool:
    """Wait for the report of the user who stays connected.

    `job` is the id of this report. It was requested last, so when it arrives, all other reports have been sent. Returns
    whether the report arrives within `timeout` seconds.
    """
    try:
        await connected_tab.received(events.REPORT_READY, where=lambda data: data["job"] == job, timeout=timeout)
    except TimeoutError:
        return False
    return True


def _failed_precondition(jobs: Sequence[str | None], spare_seconds: float, is_last_report_received: bool) -> str | None:
    if None in jobs:
        return f"{jobs.count(None)} of {len(jobs)} reports were not accepted"
    if spare_seconds <= 0:
        return f"the last user reconnected {-spare_seconds:.2f} s after the first report was due"
    return None if is_last_report_received else "even the user who stayed connected did not receive the report"


def _reports(tab: Tab, job: str | None) -> list[Received]:
    return tab.inbox.of(events.REPORT_READY, lambda data: data["job"] == job)


@dataclass(frozen=True)
class _Log:
    """Calculates when connections were cut, and when requested reports were emitted.

    `started` and `cut_at` are times on the event loop's clock. `emits` are the emits of the reports. The results are in
    seconds since `started`, the time of the first request.
    """

    started: float
    cut_at: float
    emits: Sequence[Emit]

    def seconds(self, at: float) -> float:
        return round(at - self.started, 3)

    def summary(self) -> dict[str, Any]:
        """Return when connections were cut, and how many reports were emitted.

        `emitted` is the number of emits of reports. `emitted_to_a_socket` is how many of these emits had a room with a
        live socket.
        """
        reached = sum(emit.reached > 0 for emit in self.emits)
        return {"cut": self.seconds(self.cut_at), "emitted": len(self.emits), "emitted_to_a_socket": reached}

    def timeline(self, tab: Tab, asked_at: float, received: Sequence[Received]) -> dict[str, Any]:
        """Return when a tab requested its report, reconnected and received the report.

        `asked_at` is the time of the request, and `received` are the copies of the report that arrived. The result also
        has the times at which the server emitted the report, in two lists: emits to a room with a live socket, and
        emits to rooms without a live socket.
        """
        own = {*tab.ids, user_room(tab.user)}
        emits = [emit for emit in self.emits if not own.isdisjoint(emit.rooms)]
        return {
            "user": tab.user,
            "asked": self.seconds(asked_at),
            "back": self.seconds(tab.inbox.of("connect")[-1].at_seconds),
            "emitted_to_nobody": [self.seconds(emit.at_seconds) for emit in emits if not emit.reached],
            "emitted": [self.seconds(emit.at_seconds) for emit in emits if emit.reached],
            "received": self.seconds(received[0].at_seconds) if received else None,
        }


SCENARIO = Scenario(run, makes_reports=True)
