"""Answers for what several processes show before anything is cut: a table in one process knows its own users alone."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from good_server import events
from lab.claims import SIDES, BeforeAnyCut, Claim, Side, Verdict
from lab.clients import Tab, in_turns, tabs
from lab.measure import Run
from lab.ring import messages, people, settle, write_to_next
from lab.servers import Target
from lab.words import number

# a report that has not come by then does not come
PATIENCE_SECONDS = 5.0
REPORT_MILLISECONDS = 50


class Neighbours:
    """A scenario: nobody loses a connection, and each user writes to the next or asks for a report."""

    def __init__(self, asks: Literal["chat", "report"]) -> None:
        self.SETTINGS: Mapping[str, str] = {}
        self.ALONE = False
        self.MAKES_REPORTS = asks == "report"

    async def run(self, target: Target, *, seed: int = 7, users: int = 48) -> Run:
        """`value` is the percentage that arrived of what was written or asked for. Nothing here is random."""
        async with tabs(target, people(users)) as ring:
            taken, arrived = await (_have_reports_made(ring) if self.MAKES_REPORTS else _write(ring))
        broken = None if taken == users else f"the server took {taken} of {users}"
        return Run(100 * arrived / users, broken=broken)


async def _write(ring: Sequence[Tab]) -> tuple[int, int]:
    """How many messages were taken, and how many arrived."""
    taken = await write_to_next(ring, "hello")
    await settle(ring)
    return taken, sum(len(messages(tab, "hello")) == 1 for tab in ring)


async def _have_reports_made(ring: Sequence[Tab]) -> tuple[int, int]:
    """How many reports were taken, and how many came back."""
    jobs = await in_turns([lambda tab=tab: _ask_for_report(tab) for tab in ring])  # type: ignore[misc]
    came = await asyncio.gather(*(_comes(tab, job) for tab, job in zip(ring, jobs, strict=True)))
    return len(jobs) - jobs.count(None), came.count(True)


async def _ask_for_report(tab: Tab) -> str | None:
    ack = await tab.ask(events.REPORT_REQUEST, {"kind": "outside", "size": REPORT_MILLISECONDS})
    return ack["data"]["job"] if ack.get("ok") else None


async def _comes(tab: Tab, job: str | None) -> bool:
    def is_it(data: Any) -> bool:
        return bool(data["job"] == job)

    try:
        await tab.received(events.REPORT_READY, where=is_it, timeout=PATIENCE_SECONDS)
    except TimeoutError:
        return False
    return True


@dataclass(frozen=True)
class Row:
    """One mistake beside the good server, each as one process and as several; runs by side and processes."""

    claim: Claim
    bounds: BeforeAnyCut
    runs: Mapping[tuple[Side, int], Run]
    workers: int

    def value(self, side: Side, workers: int) -> float | None:
        """What arrived, in percent; None where the run does not count."""
        run = self.runs[side, workers]
        return run.value if run.broken is None else None

    @property
    def fails(self) -> bool:
        """Whether the bad server already loses something with several processes, where with one it does not."""
        one, several = self.value("bad", 1), self.value("bad", self.workers)
        return one is not None and several is not None and several < one

    @property
    def finding(self) -> str:
        """What was found, as a sentence with the values measured in it."""
        values = {side: number(self.value(side, self.workers)) for side in SIDES}
        return self.bounds.finding.format(**values, one=number(self.value("bad", 1)))

    @property
    def verdict(self) -> Verdict:
        """Shown when all four are within their bounds."""
        reasons = []
        for (side, workers), run in self.runs.items():
            if run.broken is not None:
                reasons.append(f"{side}, processes {workers}: {run.broken}")
            elif not self.bounds.holds(side, workers, run.value):
                wanted = self.bounds.wanted(side, workers)
                reasons.append(f"{side}, processes {workers}: measured {run.value:.4g}, wanted {wanted}")
        return Verdict("not_shown", "; ".join(reasons)) if reasons else Verdict("shown")


def cases(workers: int) -> Sequence[tuple[Side, int]]:
    """What is measured for each row, in the order of its columns."""
    return [(side, count) for side in SIDES for count in (1, workers)]
