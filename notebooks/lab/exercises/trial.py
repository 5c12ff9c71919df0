"""Runs a learner's answer in server processes, with a time limit.

An answer may end its process, or never return. So none of its code runs in the process that grades.
"""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from good_server.app import create_parts
from good_server.settings import load_settings
from lab.compare.one_run import run_once
from lab.exercises import answer_errors, conformance, server
from lab.exercises.answer_errors import FATAL, Fault
from lab.results.claims import Claim
from lab.results.run import Run
from lab.scenarios.catalogue import load_scenarios
from lab.servers.probe_client import SilentServerError
from lab.servers.process import ServerError
from lab.servers.running import running
from lab.system.own_process import in_own_process

T = TypeVar("T")

APP = "lab.exercises.server:create_app"
# an answer may import a large package
LOAD_SECONDS = 8.0
LOOK_SECONDS = 0.1
HANDLER_SECONDS = "15"


class AnswerEndedError(Exception):
    """The answer ended or blocked the process that ran it.

    The message is one line and says how.
    """


@dataclass(frozen=True)
class Answer:
    """A learner's answer: its exercise, its source code, and its folder.

    The folder also has the files that record the faults of the answer (such as a blocked event loop) and the ids of its
    processes.
    """

    number: int
    source: str
    folder: Path

    @property
    def faults(self) -> list[Fault]:
        """The recorded faults of the answer, such as a blocked event loop."""
        return answer_errors.read(self.folder / f"answer{server.FAULTS}")

    def settings(self, scenario_settings: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables of a server that runs the learner's answer.

        They include `scenario_settings`, the environment variables that the measurement or the checks need.
        """
        own = {
            server.NUMBER_VARIABLE: str(self.number),
            server.FILE_VARIABLE: str(self.folder / "answer.py"),
            # a handler may wait for its report, also on a busy machine
            "SERVER_HANDLER_SECONDS": HANDLER_SECONDS,
        }
        return {**scenario_settings, **own}

    def pids(self) -> list[int]:
        """Return the ids of the server processes that ran the learner's answer."""
        file = self.folder / f"answer{server.PROCESSES}"
        return [int(line) for line in file.read_text().split()] if file.exists() else []


@asynccontextmanager
async def trial(number: int, source: str) -> AsyncIterator[Answer]:
    """Write a learner's answer to a temporary folder.

    Yields the answer. After the `async with` block, all processes in the process groups of the answer are killed, and
    the folder is deleted.
    """
    with tempfile.TemporaryDirectory(prefix="lab-exercise-", ignore_cleanup_errors=True) as folder:
        answer = Answer(number, source, Path(folder))
        (answer.folder / "answer.py").write_text(source, encoding="utf-8")
        try:
            yield answer
        finally:
            _end_groups(answer.pids())


def _end_groups(pids: list[int]) -> None:
    """Kill all processes that still run in the given process groups.

    `pids` are the ids of the groups. The id of a process group is the process id of its leader.
    """
    for pid in pids:
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)


async def check_loads(answer: Answer) -> None:
    """Check in a separate process that a learner's answer can be loaded.

    Raises `AnswerError` when the answer cannot be run, and `AnswerEndedError` when the answer ends the process or does
    not return.
    """
    try:
        ended_by = await in_own_process(_load, answer, timeout=LOAD_SECONDS)
    except TimeoutError:
        reason = f"Loading it takes more than {LOAD_SECONDS:.0f} s, so it was ended: does a loop never end there?"
        raise AnswerEndedError(reason) from None
    except RuntimeError:
        raise AnswerEndedError("It ends its process while it is loaded: does it call os._exit?") from None
    if ended_by is not None:
        raise AnswerEndedError(f"It ends its process while it is loaded: {ended_by}.")


async def _load(answer: Answer) -> str | None:
    """Load a learner's answer in this process.

    Returns None. If the answer tries to end the process, returns a phrase that names the raised exception, such as
    `SystemExit`. Raises `AnswerError` when the answer cannot be run.
    """
    _silence()
    server.begin_group(answer.folder / f"answer{server.PROCESSES}")
    for name in [name for name in os.environ if name.startswith("SERVER_")]:
        del os.environ[name]
    try:
        server.build(server.load_handlers(answer.source, answer.number), create_parts(load_settings(_env_file=None)))
    except (SystemExit, KeyboardInterrupt) as end:
        return f"it raised {type(end).__name__}{server.line_of(end)}"
    return None


def _silence() -> None:
    # what it prints would look like a message of the lab
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


async def measure(answer: Answer, claim: Claim, parameters: Mapping[str, Any]) -> Run:
    """Measure a server with a learner's answer once, and return the result.

    `claim` names the lesson. `parameters` are arguments for the experiment (the scenario) of this lesson. Raises
    `AnswerEndedError` when the answer ends or blocks the server process.
    """
    scenario = load_scenarios()[claim.id]
    # a single process, which makes the reports itself
    adapted = replace(scenario, settings=answer.settings(scenario.settings), makes_reports=False)
    return await _while_it_serves(answer, run_once(claim, adapted, APP, **parameters))


async def conform(answer: Answer, *, workers: int = 1, checks: Sequence[conformance.Check] | None = None) -> str | None:
    """Run the conformance suite once on a learner's answer.

    The suite checks that a server of `workers` processes still works as specified. Without `checks`, all checks for the
    exercise are run. Returns what the first failed check has found, in one sentence, or None if all checks pass. Raises
    `AnswerEndedError` when the answer ends or blocks a server process.
    """
    checks = checks or conformance.checks_for(answer.number, workers=workers)
    return await _while_it_serves(answer, _run_suite(answer, workers, checks))


async def _run_suite(answer: Answer, workers: int, checks: Sequence[conformance.Check]) -> str | None:
    makes_reports = any(conformance.REPORT & check.needs for check in checks)
    settings = answer.settings(conformance.SETTINGS)
    earlier = len(answer.faults)

    def faults() -> list[Fault]:
        return answer.faults[earlier:]

    try:
        async with running(APP, workers=workers, settings=settings, makes_reports=makes_reports) as started:
            target = started.target(answer.number)
            return await conformance.run_checks(target, checks, source=answer.source, faults=faults)
    except (ServerError, SilentServerError) as error:
        return str(error)


async def _while_it_serves(answer: Answer, work: Coroutine[Any, Any, T]) -> T:
    """Run `work` and return its result.

    When the answer ends or blocks a server process, `work` is cancelled and `AnswerEndedError` is raised.
    """
    task = asyncio.create_task(work)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=LOOK_SECONDS)
            if any(fault.kind in FATAL for fault in answer.faults):
                raise AnswerEndedError(answer_errors.cause(answer.faults, answer.source))
        return task.result()
    finally:
        if not task.done():
            # an orderly end of the servers would take as long as the answer lets it
            _end_groups(answer.pids())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
