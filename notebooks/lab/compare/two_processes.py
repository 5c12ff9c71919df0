"""Measures which messages and reports servers of several processes lose.

The bad and the good server are measured, and no connection is cut meanwhile. The bad server loses messages when each of
its processes knows only the users who are connected to that process. A report is the result of heavy work that a user
requests.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from good_server import events
from lab.clients.chat_ring import messages_received, people, wait_until_delivered, write_to_next
from lab.clients.tab import Tab, gather_bounded, tabs
from lab.compare.one_run import Progress, run_once
from lab.results.claims import SIDES, Claim, Side, TwoProcessBounds, load_two_process_bounds
from lab.results.run import Run
from lab.results.verdict import Verdict
from lab.results.wording import number
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target

# a report that has not arrived by then counts as lost
PATIENCE_SECONDS = 5.0
REPORT_MILLISECONDS = 50


def scenario_without_cuts(asks: Literal["chat", "report"]) -> Scenario:
    """Create a scenario (an experiment) in which no connection is cut.

    If `asks` is `chat`, each user writes to the next user. If `asks` is `report`, each user requests a report, which is
    heavy work for the server.
    """

    async def run(target: Target, *, seed: int = 7, users: int = 48) -> Run:
        """Measure the percentage of messages or reports that arrive.

        `target` is the measured server. Each of the `users` users sends a message, or each of them requests a report
        (heavy work for the server). The percentage is the `value` of the returned run. `seed` has no effect, because
        nothing is random.
        """
        async with tabs(target, people(users)) as ring:
            accepted, arrived = await (_request_reports(ring) if asks == "report" else _write(ring))
        broken = None if accepted == users else f"the server accepted {accepted} of {users}"
        return Run(100 * arrived / users, broken=broken)

    return Scenario(run, makes_reports=asks == "report")


async def _write(ring: Sequence[Tab]) -> tuple[int, int]:
    """Let each user write to the next user; return two counts.

    `ring` has one simulated browser tab per user; the last user writes to the first. The counts are the number of
    messages that the server accepted, and the number of messages that arrived exactly once.
    """
    accepted = await write_to_next(ring, "hello")
    await wait_until_delivered(ring)
    return accepted, sum(len(messages_received(tab, "hello")) == 1 for tab in ring)


async def _request_reports(ring: Sequence[Tab]) -> tuple[int, int]:
    """Let each user request a report; return two counts.

    `ring` has one simulated browser tab per user. The counts are the number of requests that the server accepted, and
    the number of reports that arrived.
    """
    jobs = await gather_bounded([lambda tab=tab: _request_report(tab) for tab in ring])  # type: ignore[misc]
    arrivals = await asyncio.gather(*(_arrives(tab, job) for tab, job in zip(ring, jobs, strict=True)))
    return len(jobs) - jobs.count(None), arrivals.count(True)


async def _request_report(tab: Tab) -> str | None:
    ack = await tab.ask(events.REPORT_REQUEST, {"kind": "outside", "size": REPORT_MILLISECONDS})
    return ack["data"]["job"] if ack.get("ok") else None


async def _arrives(tab: Tab, job: str | None) -> bool:
    def is_for_job(data: Any) -> bool:
        return bool(data["job"] == job)

    try:
        await tab.received(events.REPORT_READY, where=is_for_job, timeout=PATIENCE_SECONDS)
    except TimeoutError:
        return False
    return True


@dataclass(frozen=True)
class TwoProcessResult:
    """The measurements for one claim, with one and with several processes.

    A claim is a statement about the bad and the good server. Each measurement is the percentage of messages or reports
    that arrived. `runs` maps a server (`bad` or `good`) and its number of processes to the measurement. `workers` is
    the larger number of processes. `bounds` has the limits for the percentages: if all are kept, the claim is
    confirmed.
    """

    claim: Claim
    bounds: TwoProcessBounds
    runs: Mapping[tuple[Side, int], Run]
    workers: int

    def value(self, side: Side, workers: int) -> float | None:
        """Return the percentage of messages or reports that arrived.

        `side` (the bad or the good server) and `workers` (its number of processes) select the measurement. Returns None
        when this measurement failed.
        """
        run = self.runs[side, workers]
        return run.value if run.broken is None else None

    @property
    def fails(self) -> bool:
        """Whether the bad server delivers less with several processes than with one.

        This compares the percentages of messages or reports that arrived.
        """
        one, several = self.value("bad", 1), self.value("bad", self.workers)
        return one is not None and several is not None and several < one

    @property
    def finding(self) -> str:
        """One sentence with the measured percentages of arrived messages or reports."""
        values = {side: number(self.value(side, self.workers)) for side in SIDES}
        return self.bounds.finding.format(**values, one=number(self.value("bad", 1)))

    @property
    def verdict(self) -> Verdict:
        """The verdict: whether the four measured percentages confirm the claim.

        These are the percentages of messages or reports that arrived from two servers, with one and with several
        processes. The outcome is `shown` (the claim is confirmed) when each percentage is in the range that the claim
        states, and `not_shown` otherwise.
        """
        reasons = []
        for (side, workers), run in self.runs.items():
            if run.broken is not None:
                reasons.append(f"{side}, processes {workers}: {run.broken}")
            elif not self.bounds.holds(side, workers, run.value):
                wanted = self.bounds.wanted(side, workers)
                reasons.append(f"{side}, processes {workers}: measured {run.value:.4g}, wanted {wanted}")
        return Verdict("not_shown", "; ".join(reasons)) if reasons else Verdict("shown")


def sides_and_processes(workers: int) -> Sequence[tuple[Side, int]]:
    """Return the four pairs of a server and its number of processes.

    The server is `bad` or `good`, and the number is 1 or `workers`. The table of the results has one column per pair,
    in this order.
    """
    return [(side, count) for side in SIDES for count in (1, workers)]


async def measure_before_any_cut(
    claims: Sequence[Claim],
    *,
    workers: int,
    seed: int = 7,
    progress: Progress = lambda claim, side, phase: None,
) -> list[TwoProcessResult]:
    """Measure which messages and requested reports arrive while no connection is cut.

    The bad and the good server are measured with one process and with `workers` processes. `claims` are statements
    about these servers. Returns one result for each claim whose entry in claims.toml has values for several processes.
    """
    by_id = {claim.id: claim for claim in claims}
    rows = []
    for bounds in load_two_process_bounds():
        if bounds.id in by_id:
            claim, scenario = by_id[bounds.id], scenario_without_cuts(bounds.asks)
            runs = await _run_both_sides(claim, scenario, workers=workers, seed=seed, progress=progress)
            rows.append(TwoProcessResult(claim, bounds, runs, workers))
    return rows


async def _run_both_sides(
    claim: Claim, scenario: Scenario, *, workers: int, seed: int, progress: Progress
) -> Mapping[tuple[Side, int], Run]:
    """Run the experiment on both servers, with one process and with several.

    The experiment counts which messages or reports arrive. The bad and the good server are measured at the same time.
    That is harmless, because the experiment measures no times and needs little CPU. Returns the measurements, by server
    and number of processes.
    """

    async def run(side: Side, count: int) -> Run:
        progress(claim, side, "started")
        measured = await run_once(claim, scenario, side, seed=seed, workers=count)
        progress(claim, side, "ended")
        return measured

    async def run_side(side: Side) -> Sequence[Run]:
        return [await run(side, count) for count in (1, workers)]

    # after an interruption the task group waits until every server has stopped
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run_side(side)) for side in SIDES]
    runs = [run for task in tasks for run in task.result()]
    return dict(zip(sides_and_processes(workers), runs, strict=True))
