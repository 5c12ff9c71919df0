"""Scenario 09: measure ack times while the server makes reports.

The reports need CPU time. On a server of several processes, the requests for reports are spread over all processes.
"""

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from good_server import events
from good_server.rooms import user_room
from lab.clients.bystanders import HeartbeatWatch, as_series, chat_on_schedule, p99_milliseconds, watch_heartbeats
from lab.clients.chat_ring import people
from lab.clients.tab import Person, Tab, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.state_client import Emit, StateClient
from lab.servers.target import Target

SETTINGS = {
    # clients that the stall disconnects would not receive their reports, and then the reports would not be counted
    "SERVER_PING_TIMEOUT_SECONDS": "10",
}

# heartbeats come once a second; sockets that open during one second wait for theirs at different times
IDLE_SECONDS = 1.0
# longer than all reports take one after another, so that the end of the queue is measured too
BUSY_SECONDS = 1.5
PATIENCE_SECONDS = 10.0
HEARTBEAT_SOCKETS = 8


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report, with the user who requested it.

    `cpu_seconds` is the CPU time that the report took. `received_at` is when the user received the report, on the event
    loop's clock.
    """

    user: str
    cpu_seconds: float
    received_at: float


async def run(
    target: Target,
    *,
    seed: int = 7,
    bystanders: int = 20,
    reports: int = 8,
    report_milliseconds: int = 150,
    is_idle_measured: bool = True,
) -> Run:
    """Measure how long chat users wait for acks while reports are made.

    `bystanders` is the number of these users. The `value` of the returned run is the 99th percentile of their ack
    times, divided by the CPU time of one report. `seed` has no effect, because nothing is random. If `is_idle_measured`
    is false, ack times before the reports and missed heartbeats are not measured.
    """
    heartbeat_sockets = HEARTBEAT_SOCKETS if is_idle_measured else 0
    async with (
        tabs(target, people(bystanders)) as ring,
        # each asks for one report, because a server handles the events of one client in order
        tabs(target, [Person(f"asker-{number}") for number in range(reports)]) as askers,
        watch_heartbeats(target, heartbeat_sockets, over_seconds=IDLE_SECONDS) as watched,
    ):
        # the first report may start worker processes, so one is made before the measurement
        await _request_reports(askers, 1)
        async with chat_on_schedule(ring) as idle:
            await asyncio.sleep(IDLE_SECONDS if is_idle_measured else 0)
        await target.probe.reset()
        state = StateClient(target.probe)
        await state.record_emits()
        async with chat_on_schedule(ring) as busy:
            started = asyncio.get_running_loop().time()
            made, _ = await asyncio.gather(_request_reports(askers, report_milliseconds), asyncio.sleep(BUSY_SECONDS))
        stall_seconds = (await target.probe.read()).loop_lag_worst_seconds
        blocks = _blocks(made, await state.emits(), started)
        missed = sum(watch.missed(asyncio.get_running_loop().time()) for watch in watched)
    one_report = statistics.median(report.cpu_seconds for report in made) if made else float("nan")
    also = {
        "loop_stall_milliseconds": stall_seconds * 1000,
        "heartbeats_missed": missed,
        "idle_p99_milliseconds": p99_milliseconds(idle),
        "busy_p99_milliseconds": p99_milliseconds(busy),
    }
    series = {"idle": as_series(idle), "busy": as_series(busy)}
    details = {"one_report_seconds": one_report, **series, "reports": blocks}
    value = also["busy_p99_milliseconds"] / 1000 / one_report
    return Run(value, also, _failed_precondition(len(made), reports, watched), details)


async def _request_reports(askers: Sequence[Tab], milliseconds: int) -> list[Report]:
    """Request one report per simulated browser tab, all at the same time.

    Each report takes `milliseconds` of CPU time. Returns the reports that arrived within
    `PATIENCE_SECONDS` after the ack of their request.
    """
    made = await asyncio.gather(*(_request_report(tab, milliseconds) for tab in askers))
    return [report for report in made if report is not None]


async def _request_report(asker: Tab, milliseconds: int) -> Report | None:
    request = {"kind": "cpu", "size": milliseconds}
    try:
        ack = await asker.ask(events.REPORT_REQUEST, request, timeout=PATIENCE_SECONDS)
        if not ack.get("ok"):
            return None
        job = ack["data"]["job"]
        ready = await asker.received(
            events.REPORT_READY, where=lambda data: data["job"] == job, timeout=PATIENCE_SECONDS
        )
    except TimeoutError:
        return None
    result = ready[0].data.get("result")
    return Report(asker.user, float(result["cpu_seconds"]), ready[0].at_seconds) if result else None


def _blocks(made: Sequence[Report], emits: Sequence[Emit], started: float) -> list[dict[str, float]]:
    """Return the times of each report, as data for a figure.

    `cpu` is how many seconds of CPU time the report took. `ready` is when the server emitted the report, and `received`
    is when its user received it; both are in seconds after `started`. A report without an emit in `emits` is left out.
    That happens on a server of several processes: a separate process makes the reports, and its emits are not recorded.
    """
    ready_at = {room: emit.at_seconds for emit in emits if emit.event == events.REPORT_READY for room in emit.rooms}
    blocks = [
        {
            "cpu": round(report.cpu_seconds, 4),
            "ready": round(ready_at[user_room(report.user)] - started, 4),
            "received": round(report.received_at - started, 4),
        }
        for report in made
        if user_room(report.user) in ready_at
    ]
    return sorted(blocks, key=lambda block: block["ready"])


def _failed_precondition(made: int, reports: int, watched: Sequence[HeartbeatWatch]) -> str | None:
    if made < reports:
        return f"{made} of {reports} reports were made"
    if not all(watch.beats for watch in watched):
        return "not every connection that watches heartbeats was accepted"
    return None


SCENARIO = Scenario(
    run, settings=SETTINGS, runs_alone=True, makes_reports=True, primary_only={"is_idle_measured": False}
)
