"""Answers for help at an exercise, as a notebook shows it: the grade, the next hint, the solution."""

from collections.abc import Callable
from typing import Any

from lab.exercises import grade as grading
from lab.exercises import hints
from lab.exercises.progress_file import ProgressFileError
from lab.exercises.tasks import AnswerError
from lab.lessons.cell_output import Markdown, ProgressLine, show_output


async def grade(number: int, handlers: type[Any]) -> None:
    """Runs the lesson's own scenario on the class, and says in numbers how it did: `await lab.grade(3, Handlers)`."""
    try:
        async with ProgressLine().ticking(f"exercise {number:02}"):
            graded = await grading.grade(number, handlers)
    except AnswerError as error:
        show_output(Markdown(f"**Not yet.** It cannot be run: {error}"))
        return
    first, _, rest = graded.told.partition(". ")
    show_output(Markdown(f"**{first}.** {rest}"))


def hint(number: int) -> None:
    """Shows the next hint: vague at first, exact at last."""
    _show(lambda: hints.next_hint(number))


def solution(number: int, *, anyway: bool = False) -> None:
    """Shows one right answer, once the exercise is passed, or `anyway`."""
    _show(lambda: f"```python\n{hints.solution(number, anyway=anyway)}\n```")


def _show(text: Callable[[], str]) -> None:
    try:
        show_output(Markdown(text()))
    except (AnswerError, ProgressFileError) as error:
        show_output(Markdown(f"{error}"))
