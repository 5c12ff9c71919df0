"""Tests that a result in doubt is repeated before it is judged.

The runs are given, so these tests start no server.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.exercises import grade as grading
from lab.exercises import progress_file
from lab.exercises.grade import grade
from lab.exercises.tasks import load_exercise
from lab.results.run import LATE_SECONDS, Run

TIMED, COUNTED = 9, 3
HOLDS, MISSES = {TIMED: 0.1, COUNTED: 100.0}, {TIMED: 2.0, COUNTED: 0.0}


@pytest.fixture(autouse=True)
def no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_file, "progress_path", lambda: tmp_path / "progress.json")

    async def nothing(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr(grading, "check_loads", nothing)
    monkeypatch.setattr(grading, "conform", nothing)


def give(monkeypatch: pytest.MonkeyPatch, name: str, results: list[Any]) -> Iterator[Any]:
    """Let a function of the grader return these results, one per call.

    Returns the iterator of those that it has not returned yet.
    """
    left = iter(results)

    async def give_next(*_: Any, **__: Any) -> Any:
        return next(left)

    monkeypatch.setattr(grading, name, give_next)
    return left


LATE = Run(MISSES[COUNTED], broken="a tab was lost", lateness_seconds=2 * LATE_SECONDS)


@pytest.mark.parametrize(
    ("number", "runs", "passes"),
    [
        (COUNTED, [Run(100.0)], True),
        # a count that clearly misses its bound is judged at once
        (COUNTED, [Run(0.0)], False),
        # a count near its bound, a lost connection and a measured time are not
        (COUNTED, [Run(99.0), Run(100.0), Run(100.0)], True),
        (COUNTED, [Run(99.0), Run(99.0)], False),
        (COUNTED, [LATE, Run(100.0), Run(100.0)], True),
        (COUNTED, [LATE, Run(100.0), LATE], False),
        (TIMED, [Run(0.1)], True),
        (TIMED, [Run(2.0), Run(0.1), Run(0.1)], True),
        (TIMED, [Run(2.0), Run(0.1), Run(2.0)], False),
        (TIMED, [Run(2.0), Run(2.0)], False),
        (TIMED, [Run(0.29), Run(0.1)], True),
        (TIMED, [Run(0.29), Run(0.4), Run(0.4)], False),
    ],
)
async def test_two_of_three_runs_decide(
    monkeypatch: pytest.MonkeyPatch, number: int, runs: list[Run], passes: bool
) -> None:
    left = give(monkeypatch, "measure", runs)
    assert (await grade(number, load_exercise(number).solution)).passed == passes
    assert list(left) == []


async def test_a_late_machine_is_named_as_a_possible_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, "measure", [LATE, LATE])
    result = await grade(COUNTED, load_exercise(COUNTED).solution)
    assert result.message.endswith("But the clients were 0.5 s late: on an idle machine it may pass.")


@pytest.mark.parametrize(
    ("findings", "passes"),
    [
        ([None], True),
        (["ben did not receive it", None, None], True),
        (["ben did not receive it", None, "carol received it"], False),
        (["ben did not receive it", "ben did not receive it"], False),
    ],
)
async def test_a_finding_is_confirmed(
    monkeypatch: pytest.MonkeyPatch, findings: list[str | None], passes: bool
) -> None:
    give(monkeypatch, "measure", [Run(HOLDS[COUNTED])])
    left = give(monkeypatch, "conform", findings)
    result = await grade(COUNTED, load_exercise(COUNTED).solution)
    assert result.passed == passes
    assert passes or result.message.endswith("fails another check: ben did not receive it.")
    assert list(left) == []


async def test_a_missing_redis_is_named_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, "measure", [Run(HOLDS[COUNTED])])
    monkeypatch.setattr(grading.conformance, "needs_two_processes", lambda number: True)
    monkeypatch.setattr(grading.shutil, "which", lambda name: None)
    result = await grade(COUNTED, load_exercise(COUNTED).solution)
    assert result.passed
    assert "two processes were left out: redis-server is not installed" in result.message
