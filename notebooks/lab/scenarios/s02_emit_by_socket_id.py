"""Asks for reports, loses every connection, is back before the reports are ready, and counts what arrives."""

import asyncio
from collections.abc import Sequence
from typing import Any

from good_server import events
from lab.clients.chat_ring import cut_and_reconnect, people, wait_until_delivered
from lab.clients.inbox import Received
from lab.clients.tab import Person, Tab, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target

# beyond the time that a report takes
PATIENCE_SECONDS = 5.0


async def run(
    target: Target, *, seed: int = 7, users: int = 50, tabs_each: int = 1, report_milliseconds: int = 1500
) -> Run:
    """`value` is the percentage of tabs that got the report their user had asked for. Nothing here is random."""
    clock = asyncio.get_running_loop().time
    async with (
        tabs(target, [person for person in people(users) for _ in range(tabs_each)], reconnection=True) as opened,
        tabs(target, [Person("user-who-stays")]) as (staying,),
    ):
        await target.probe.reset()
        started = clock()
        # the first tab of each user
        asking = opened[::tabs_each]
        jobs = [await _ask_for_report(tab, report_milliseconds) for tab in asking]
        last_job = await _ask_for_report(staying, report_milliseconds)
        await cut_and_reconnect(opened)
        spare_seconds = report_milliseconds / 1000 - (clock() - started)
        stayed = await _wait_for_report(staying, last_job, report_milliseconds / 1000 + PATIENCE_SECONDS)
        await wait_until_delivered(opened)
        counts = await target.probe.counts()
    arrivals = [_reports(tab, jobs[place // tabs_each]) for place, tab in enumerate(opened)]
    # of several processes the one that sends them is a worker, with no probe beside it
    into_the_void = counts.ghost_addresses if len(target.ports) == 1 else float("nan")
    also = {"sent_into_the_void": into_the_void, "errors_seen": counts.errors_logged + jobs.count(None)}
    details = {
        "asked_for_seconds": report_milliseconds / 1000,
        "timeline": [_timeline(tab, came, started) for tab, came in zip(opened, arrivals, strict=True)],
    }
    value = 100 * sum(len(came) == 1 for came in arrivals) / len(opened)
    return Run(value, also, _what_is_broken(jobs, spare_seconds, stayed), details)


async def _ask_for_report(tab: Tab, milliseconds: int) -> str | None:
    """The job's id, or None when the server did not take it."""
    ack = await tab.ask(events.REPORT_REQUEST, {"kind": "outside", "size": milliseconds})
    return ack["data"]["job"] if ack.get("ok") else None


async def _wait_for_report(staying: Tab, job: str | None, timeout: float) -> bool:
    """The one who stays has asked last: when that report arrives, every other one has been sent."""
    try:
        await staying.received(events.REPORT_READY, where=lambda data: data["job"] == job, timeout=timeout)
    except TimeoutError:
        return False
    return True


def _what_is_broken(jobs: Sequence[str | None], spare_seconds: float, stayed: bool) -> str | None:
    if None in jobs:
        return f"{jobs.count(None)} of {len(jobs)} reports were not accepted"
    if spare_seconds <= 0:
        return f"the last user was back {-spare_seconds:.2f} s after the first report was due"
    return None if stayed else "not even the user who stayed connected got the report"


def _reports(tab: Tab, job: str | None) -> list[Received]:
    return tab.inbox.of(events.REPORT_READY, lambda data: data["job"] == job)


def _timeline(tab: Tab, came: Sequence[Received], started: float) -> dict[str, Any]:
    """Seconds since the first report was asked for."""
    back = tab.inbox.of("connect")[-1].at_seconds - started
    received = came[0].at_seconds - started if came else None
    return {"user": tab.user, "back": round(back, 3), "received": received and round(received, 3)}


SCENARIO = Scenario(run, makes_reports=True)
