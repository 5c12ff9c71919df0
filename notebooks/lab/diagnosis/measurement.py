"""Measures servers whose mistakes a learner must find, with the lessons' experiments."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lab.compare.one_run import run_once
from lab.diagnosis.cases import Ticket
from lab.diagnosis.server import APP, TICKET_VARIABLE
from lab.exercises.tasks import load_exercise
from lab.results.claims import Claim, load_claims
from lab.results.run import Run
from lab.results.wording import number
from lab.scenarios.catalogue import load_scenarios
from lab.scenarios.scenario import Scenario

MOST_TRIES = 2
# as many scenarios that mostly wait as `lab compare` runs at the same time
AT_ONCE = 3


@dataclass(frozen=True)
class Finding:
    """What the experiment of `claim` measured on an examined server.

    `claim` is a statement about one mistake, which its experiment measures. `here` is the run (the measurement) on that
    server. `good` is the run on the good server, or None if the good server was not measured.
    """

    claim: Claim
    here: Run
    good: Run | None = None

    def __str__(self) -> str:
        claim = self.claim
        text = f"The scenario of lesson {claim.id} measures {claim.metric}: {in_words(claim, self.here)} on this server"
        return text + (f", {in_words(claim, self.good)} on the good server." if self.good is not None else ".")


def in_words(claim: Claim, run: Run) -> str:
    """Return the value that `run` measured, with the unit of `claim`.

    If the measurement failed, return the reason instead.
    """
    return f"not measured, {run.broken}" if run.broken is not None else f"{number(run.value)} {claim.unit}"


async def measure(ticket: Ticket, *, with_good: bool = True) -> list[Finding]:
    """Run the experiments that measure the mistakes of a server.

    `ticket` identifies the server. Each experiment runs on a new server with the same mistakes. With `with_good`, each
    experiment also runs on a good server. Returns one finding (the measured values) per experiment.
    """
    claims = [load_claims()[claim - 1] for claim in ticket.open().claims]
    return [await _measure_one(claim, ticket, with_good=with_good) for claim in claims]


async def measure_all(
    tickets: Sequence[Ticket], finished: Callable[[int], None] = lambda done: None
) -> Mapping[Ticket, list[Finding]]:
    """Measure the servers that `tickets` identify, without the good server.

    The servers have mistakes that a learner looks for. After each server, `measure_all` calls `finished` with the
    number of servers measured so far. Experiments that measure time or load run one at a time. Returns the findings
    (the measured values) of each server, by ticket.
    """
    scenarios, slots, done = load_scenarios(), asyncio.Semaphore(AT_ONCE), 0
    found: dict[Ticket, list[Finding]] = {}

    async def measure_next(ticket: Ticket) -> None:
        nonlocal done
        async with slots:
            found[ticket] = await measure(ticket, with_good=False)
        done += 1
        finished(done)

    alone = [ticket for ticket in tickets if any(scenarios[f"{claim:02}"].runs_alone for claim in ticket.open().claims)]
    async with asyncio.TaskGroup() as group:
        for ticket in tickets:
            if ticket not in alone:
                group.create_task(measure_next(ticket))
    for ticket in alone:
        await measure_next(ticket)
    return found


async def _measure_one(claim: Claim, ticket: Ticket, *, with_good: bool) -> Finding:
    scenario = load_scenarios()[claim.id]
    # one process, which makes the reports itself
    settings = {**scenario.settings, TICKET_VARIABLE: str(ticket)}
    blind = replace(scenario, settings=settings, makes_reports=False)
    sides: list[Awaitable[Run]] = [_run(claim, blind, APP)]
    sides += [_run(claim, scenario, "good")] if with_good else []
    if scenario.runs_alone:
        return Finding(claim, *[await side for side in sides])
    return Finding(claim, *await asyncio.gather(*sides))


async def _run(claim: Claim, scenario: Scenario, side: str) -> Run:
    """Run an experiment; repeat it once if the measurement is not valid.

    A measurement is not valid if it failed, or if slow clients have possibly falsified its values. The parameters of
    the experiment are as small as in the grading of an exercise, so that a busy machine can run it.
    """
    parameters: Mapping[str, Any] = load_exercise(claim.number).parameters
    for seed in range(7, 7 + MOST_TRIES):
        run = await run_once(claim, scenario, side, seed=seed, **parameters)
        if run.broken is None and not claim.is_spoilt(run):
            break
    return run
