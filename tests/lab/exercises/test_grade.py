"""Every exercise: what is given fails, the solution passes, and what only looks right fails and is told why."""

import inspect
import linecache
import re
from pathlib import Path
from typing import Any

import pytest
from lab.exercises import progress_file
from lab.exercises.class_source import source_of_class
from lab.exercises.grade import grade
from lab.exercises.hints import next_hint, solution
from lab.exercises.server import load_handlers
from lab.exercises.tasks import AnswerError, Decoy, load_exercise

from bad_server import mistake_03_joins_the_room_once

# the stock client leaves a connection that was cut to the garbage collector, which says so
pytestmark = pytest.mark.filterwarnings("ignore:.*Connection.__del__:pytest.PytestUnraisableExceptionWarning")

NUMBERS = range(1, 11)
EXERCISES = {number: load_exercise(number) for number in NUMBERS}
DECOYS = [(number, decoy) for number in NUMBERS for decoy in EXERCISES[number].decoys]
EACH = pytest.mark.parametrize("number", NUMBERS)


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_file, "progress_path", lambda: tmp_path / "progress.json")


@EACH
async def test_what_is_given_fails_on_the_intended_measure_alone(number: int) -> None:
    result = await grade(number, EXERCISES[number].given)
    assert not result.passed
    assert result.run.broken is None
    assert progress_file.load().passed == {}


@EACH
async def test_the_solution_passes_and_is_recorded(number: int) -> None:
    assert (await grade(number, EXERCISES[number].solution)).passed
    assert list(progress_file.load().passed) == [f"{number:02}"]


@pytest.mark.parametrize(("number", "decoy"), DECOYS, ids=[f"{n:02} {decoy.idea}" for n, decoy in DECOYS])
async def test_what_only_looks_right_fails_and_is_told_why(number: int, decoy: Decoy) -> None:
    result = await grade(number, decoy.code)
    assert not result.passed
    assert decoy.told in result.told


@EACH
def test_there_are_at_least_two_wrong_answers_and_three_hints_from_vague_to_exact(number: int) -> None:
    exercise = EXERCISES[number]
    assert len(exercise.decoys) >= 2
    assert len(exercise.hints) == 3
    assert "`" in exercise.hints[-1]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("class Handlers(Handlers):\n    def", "line 2 is not Python"),
        ("1 / 0", "it does not run: ZeroDivisionError"),
        ("x = 1", "it has to define class Handlers"),
        ("class Handlers:\n    pass", "it has to define class Handlers"),
    ],
)
def test_an_answer_that_cannot_run_is_refused_in_one_line(answer: str, why: str) -> None:
    with pytest.raises(AnswerError, match=why) as refused:
        load_handlers(answer, 3)
    assert "\n" not in str(refused.value)


async def test_what_an_answer_raises_is_told_with_its_place() -> None:
    answer = "class Handlers(Handlers):\n    async def joined(self, request):\n        await request.joyn()"
    result = await grade(3, answer)
    assert not result.passed
    # newer versions of Python have a proposal, too
    first = r"first AttributeError: 'Request' object has no attribute 'joyn'(\. Did you mean: 'join'\?)? in joined\."
    assert re.search("exceptions, " + first, result.told)


async def test_a_pass_that_cannot_be_recorded_is_a_pass_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_file, "progress_path", lambda: Path("/proc/nowhere/progress.json"))
    result = await grade(3, EXERCISES[3].solution)
    assert result.passed
    assert "not recorded: cannot" in result.told


def test_hints_come_one_by_one_and_the_last_one_stays() -> None:
    told = [next_hint(3) for _ in range(4)]
    assert [hint.partition(":")[0] for hint in told] == ["hint 1 of 3", "hint 2 of 3", "hint 3 of 3", "hint 3 of 3"]


def test_a_solution_is_shown_after_passing_or_when_it_is_wanted_anyway() -> None:
    with pytest.raises(AnswerError, match="--anyway"):
        solution(3)
    assert "rooms_at_connect" in solution(3, anyway=True)
    progress_file.record_pass("03")
    assert solution(3) == solution(3, anyway=True)


CELL = """from good_server.rooms import rooms_at_connect
MOST = 3

class Handlers(mistake.Handlers):
    async def joined(self, request):
        for room in rooms_at_connect(request.identity)[:MOST]:
            await request.join(room)
            log(room, EARLIER)

await lab.grade(3, Handlers)
"""


def from_a_cell(known: dict[str, Any]) -> type[Any]:
    """The class of `CELL`, as a kernel has it, where earlier cells made `known`."""
    linecache.cache["<cell>"] = (len(CELL), None, CELL.splitlines(keepends=True), "<cell>")
    names = {"mistake": mistake_03_joins_the_room_once, **known}
    exec(compile(CELL.replace("await lab", "# await lab"), "<cell>", "exec"), names)  # noqa: S102 - our own text
    handlers: type[Any] = names["Handlers"]
    return handlers


def test_a_class_leaves_its_cell_with_what_it_uses_of_this_and_of_other_cells() -> None:
    source = source_of_class(from_a_cell({"EARLIER": 7, "log": inspect.cleandoc, "unused": object()}))
    for line in ("MOST = 3", "EARLIER = 7", "from inspect import cleandoc as log"):
        assert line in source.splitlines()
    assert "import bad_server.mistake_03_joins_the_room_once as mistake" in source
    assert "lab.grade" not in source
    assert load_handlers(source, 3).__name__ == "Handlers"


def test_what_cannot_leave_another_cell_is_named() -> None:
    with pytest.raises(AnswerError, match="EARLIER comes from another cell"):
        source_of_class(from_a_cell({"EARLIER": object(), "log": inspect.cleandoc}))


def test_a_class_without_a_method_is_told_so() -> None:
    with pytest.raises(AnswerError, match="no method of its own yet"):
        source_of_class(type("Handlers", (), {}))


def test_an_exercise_that_is_not_there_is_named() -> None:
    with pytest.raises(AnswerError, match="there is no exercise 11; there are 1 to 10"):
        load_exercise(11)
