"""Has reports made that need a processor, and times what everybody else on the server waits for an ack meanwhile.

On a server of several processes the reports are asked of all of them, each of which makes its part.
"""

import asyncio
import statistics
from collections.abc import Sequence

from good_server import events
from lab.clients.bystanders import HeartbeatWatch, as_series, chat_on_schedule, p99_milliseconds, watch_heartbeats
from lab.clients.chat_ring import people
from lab.clients.tab import Person, Tab, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target

SETTINGS = {
    # clients that the stall drives away would not hear of the reports, which is how these are known to have been made
    "SERVER_PING_TIMEOUT_SECONDS": "10",
}

# heartbeats come once a second, so sockets opened over a second wait for theirs at all times
IDLE_SECONDS = 1.0
# longer than all reports take in a row, so that the end of the queue is seen, too
BUSY_SECONDS = 1.5
PATIENCE_SECONDS = 10.0
WATCHING = 8


async def run(
    target: Target, *, seed: int = 7, bystanders: int = 20, reports: int = 8, report_milliseconds: int = 150
) -> Run:
    """`value` is the bystanders' p99 while reports are made, over the CPU time of one. Nothing here is random."""
    async with (
        tabs(target, people(bystanders)) as ring,
        # each asks for one: a server handles one client's events in order anyhow
        tabs(target, [Person(f"asker-{number}") for number in range(reports)]) as askers,
        watch_heartbeats(target, WATCHING, over_seconds=IDLE_SECONDS) as watched,
    ):
        # whatever a first report has to start is started by this one
        await _have_reports_made(askers, 1)
        async with chat_on_schedule(ring) as idle:
            await asyncio.sleep(IDLE_SECONDS)
        await target.probe.reset()
        async with chat_on_schedule(ring) as busy:
            made, _ = await asyncio.gather(_have_reports_made(askers, report_milliseconds), asyncio.sleep(BUSY_SECONDS))
        stall_seconds = (await target.probe.read()).loop_lag_worst_seconds
        missed = sum(watch.missed(asyncio.get_running_loop().time()) for watch in watched)
    one_report = statistics.median(made) if made else float("nan")
    also = {
        "loop_stall_milliseconds": stall_seconds * 1000,
        "heartbeats_missed": missed,
        "idle_p99_milliseconds": p99_milliseconds(idle),
        "busy_p99_milliseconds": p99_milliseconds(busy),
    }
    details = {"one_report_seconds": one_report, "idle": as_series(idle), "busy": as_series(busy)}
    value = also["busy_p99_milliseconds"] / 1000 / one_report
    return Run(value, also, _what_is_broken(len(made), reports, watched), details)


async def _have_reports_made(askers: Sequence[Tab], milliseconds: int) -> list[float]:
    """All ask at once; returns the CPU seconds that each report took, of those that were made in time."""
    made = await asyncio.gather(*(_report(tab, milliseconds) for tab in askers))
    return [cpu_seconds for cpu_seconds in made if cpu_seconds is not None]


async def _report(asker: Tab, milliseconds: int) -> float | None:
    wanted = {"kind": "cpu", "size": milliseconds}
    try:
        ack = await asker.ask(events.REPORT_REQUEST, wanted, timeout=PATIENCE_SECONDS)
        if not ack.get("ok"):
            return None
        job = ack["data"]["job"]
        told = await asker.received(
            events.REPORT_READY, where=lambda data: data["job"] == job, timeout=PATIENCE_SECONDS
        )
    except TimeoutError:
        return None
    result = told[0].data.get("result")
    return float(result["cpu_seconds"]) if result else None


def _what_is_broken(made: int, reports: int, watched: Sequence[HeartbeatWatch]) -> str | None:
    if made < reports:
        return f"{made} of {reports} reports were made"
    if not all(watch.beats for watch in watched):
        return "not every connection that watches heartbeats was taken"
    return None


SCENARIO = Scenario(run, settings=SETTINGS, runs_alone=True, makes_reports=True)
