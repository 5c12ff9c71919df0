"""Tests that a measurement ends what runs behind the notebook's cells."""

import asyncio
from types import SimpleNamespace

import pytest
from lab.exercises import notebook_help
from lab.lessons import background, cell_output
from lab.lessons import lesson as lesson_module
from lab.results.claims import load_claims
from lab.results.run import Run

CLAIM = next(claim for claim in load_claims() if claim.id == "03")


class Work:
    """Background work that needs a moment to clean up."""

    def __init__(self):
        self.cleaned_up = asyncio.Event()

    async def run(self):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.cleaned_up.set()


@pytest.fixture
async def work():
    """Return started work; it is ended after the test in any case."""
    started = Work()
    background.start(started.run())
    # so that the work has begun
    await asyncio.sleep(0)
    yield started
    await background.end()


@pytest.fixture
def lesson(monkeypatch, work):
    """Return a lesson whose runs fail while the work still runs."""

    async def run_once(claim, scenario, side, **parameters):
        assert work.cleaned_up.is_set()
        return Run(0.0 if side == "bad" else 100.0)

    monkeypatch.setattr(lesson_module, "run_once", run_once)
    monkeypatch.setattr(cell_output.ProgressLine, "update", lambda line, text: None)
    return lesson_module.Lesson(CLAIM, SimpleNamespace(runs_alone=False))


async def test_the_next_work_ends_the_one_before(work):
    background.start(Work().run())
    async with asyncio.timeout(5):
        await work.cleaned_up.wait()
    assert background.is_running()
    await background.end()
    assert not background.is_running()


async def test_a_measurement_begins_after_the_end(lesson):
    assert (await lesson.measure("bad")).value == 0


async def test_a_sweep_begins_after_the_end(lesson):
    assert (await lesson.sweep("users", [1, 2])).of("good") == [100, 100]


async def test_an_exercise_is_graded_after_the_end(work, monkeypatch):
    async def grade(number, handlers):
        assert work.cleaned_up.is_set()
        return SimpleNamespace(message="Passed. Good.", discussion="")

    monkeypatch.setattr(notebook_help.grading, "grade", grade)
    monkeypatch.setattr(notebook_help, "show_output", lambda output: None)
    monkeypatch.setattr(cell_output.ProgressLine, "update", lambda line, text: None)
    await notebook_help.grade(3, object)


async def test_the_last_check_names_an_open_page(work):
    with pytest.raises(AssertionError, match="clear its output"):
        lesson_module.Lesson(CLAIM, SimpleNamespace()).check(Run(0.0), Run(100.0))
