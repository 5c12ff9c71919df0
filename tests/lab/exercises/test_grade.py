"""Tests every exercise, its grade, its hints and its solution.

The given code and the wrong answers fail, and the solution passes.
"""

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

NUMBERS = range(1, 11)
# the exercise that is graded in the default lane, because it is the quickest; the others are slow
QUICKEST = 3
EXERCISES = {number: load_exercise(number) for number in NUMBERS}


def graded(number: int, *arguments: Any, id: str) -> Any:
    """Return the parameters of a test that grades one exercise.

    The test is slow, unless the exercise is the quickest one.
    """
    return pytest.param(number, *arguments, id=id, marks=[] if number == QUICKEST else pytest.mark.slow)


EACH = pytest.mark.parametrize("number", NUMBERS)
EACH_GRADED = pytest.mark.parametrize("number", [graded(number, id=str(number)) for number in NUMBERS])
DECOYS = [
    graded(number, decoy, id=f"{number:02} {decoy.idea}") for number in NUMBERS for decoy in EXERCISES[number].decoys
]
OTHER_SOLUTIONS = [
    pytest.param(number, answer, id=f"{number:02} {index}", marks=pytest.mark.slow)
    for number in NUMBERS
    for index, answer in enumerate(EXERCISES[number].other_solutions)
]


@pytest.fixture(autouse=True)
def separate_progress_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_file, "progress_path", lambda: tmp_path / "progress.json")


@EACH_GRADED
async def test_the_given_code_fails_only_on_the_intended_metric(number: int) -> None:
    result = await grade(number, EXERCISES[number].given)
    assert not result.passed
    assert result.run.broken is None
    assert progress_file.load().passed == {}


@EACH_GRADED
async def test_the_solution_passes_and_is_recorded(number: int) -> None:
    result = await grade(number, EXERCISES[number].solution)
    assert result.passed, result.message
    assert result.discussion == EXERCISES[number].discussion.strip()
    assert list(progress_file.load().passed) == [f"{number:02}"]


@pytest.mark.parametrize(("number", "answer"), OTHER_SOLUTIONS)
async def test_a_differently_written_answer_passes(number: int, answer: str) -> None:
    result = await grade(number, answer)
    assert result.passed, result.message


@pytest.mark.parametrize(("number", "decoy"), DECOYS)
async def test_a_wrong_answer_fails_with_a_reason(number: int, decoy: Decoy) -> None:
    result = await grade(number, decoy.code)
    assert not result.passed
    phrases = (decoy.expected_phrase,) if isinstance(decoy.expected_phrase, str) else decoy.expected_phrase
    assert any(phrase in result.message for phrase in phrases), result.message


@EACH
def test_an_exercise_has_two_wrong_answers_and_three_hints(number: int) -> None:
    exercise = EXERCISES[number]
    assert len(exercise.decoys) >= 2
    assert len(exercise.hints) == 3
    assert "`" in exercise.hints[-1]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("class Handlers(Handlers):\n    def", "line 2 is not Python"),
        ("1 / 0", "it does not run: ZeroDivisionError"),
        ("x = 1", "it has to define class Handlers"),
        ("class Handlers:\n    pass", "it has to define class Handlers"),
    ],
)
def test_an_answer_that_cannot_run_is_refused_in_one_line(answer: str, reason: str) -> None:
    with pytest.raises(AnswerError, match=reason) as refused:
        load_handlers(answer, 3)
    assert "\n" not in str(refused.value)


async def test_an_exception_of_an_answer_is_reported_with_its_place() -> None:
    answer = "class Handlers(Handlers):\n    async def joined(self, request):\n        await request.joyn()"
    result = await grade(3, answer)
    assert not result.passed
    # newer versions of Python suggest a name
    first = r"first AttributeError: 'Request' object has no attribute 'joyn'(\. Did you mean: 'join'\?)? in joined\."
    assert re.search("exceptions, " + first, result.message)


async def test_a_pass_that_cannot_be_recorded_is_still_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_file, "progress_path", lambda: Path("/proc/nowhere/progress.json"))
    result = await grade(3, EXERCISES[3].solution)
    assert result.passed
    assert "not recorded: cannot" in result.message


def test_hints_come_one_by_one_and_the_last_one_repeats() -> None:
    hints = [next_hint(3) for _ in range(4)]
    assert [hint.partition(":")[0] for hint in hints] == ["hint 1 of 3", "hint 2 of 3", "hint 3 of 3", "hint 3 of 3"]


def test_a_solution_is_shown_after_a_pass_or_with_anyway() -> None:
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


def class_from_cell(earlier_names: dict[str, Any]) -> type[Any]:
    """Run the text `CELL` like a cell of a notebook.

    The cell can use the names of earlier cells. Returns the class `Handlers` that it defines.
    """
    linecache.cache["<cell>"] = (len(CELL), None, CELL.splitlines(keepends=True), "<cell>")
    names = {"mistake": mistake_03_joins_the_room_once, **earlier_names}
    exec(compile(CELL.replace("await lab", "# await lab"), "<cell>", "exec"), names)  # noqa: S102 - our own text
    handlers: type[Any] = names["Handlers"]
    return handlers


def test_a_class_is_extracted_with_the_names_that_it_uses() -> None:
    source = source_of_class(class_from_cell({"EARLIER": 7, "log": inspect.cleandoc, "unused": object()}))
    for line in ("MOST = 3", "EARLIER = 7", "from inspect import cleandoc as log"):
        assert line in source.splitlines()
    assert "import bad_server.mistake_03_joins_the_room_once as mistake" in source
    assert "lab.grade" not in source
    assert load_handlers(source, 3).__name__ == "Handlers"


def test_an_object_of_another_cell_is_refused_by_name() -> None:
    with pytest.raises(AnswerError, match="EARLIER comes from another cell"):
        source_of_class(class_from_cell({"EARLIER": object(), "log": inspect.cleandoc}))


def test_a_class_without_a_method_is_refused() -> None:
    with pytest.raises(AnswerError, match="no method of its own yet"):
        source_of_class(type("Handlers", (), {}))


def test_an_unknown_exercise_is_refused_by_number() -> None:
    with pytest.raises(AnswerError, match="there is no exercise 11; there are 1 to 10"):
        load_exercise(11)
