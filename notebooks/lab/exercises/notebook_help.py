"""Help with an exercise in a notebook: grade, hint and solution."""

from collections.abc import Callable
from typing import Any

from lab.exercises import grade as grading
from lab.exercises import hints
from lab.exercises.progress_file import ProgressFileError
from lab.exercises.tasks import AnswerError
from lab.lessons.cell_output import Markdown, ProgressLine, show_output


async def grade(number: int, handlers: type[Any]) -> None:
    """Measure the class with the lesson's own scenario and show the result.

    Example: `await lab.grade(3, Handlers)`.
    """
    try:
        async with ProgressLine().show_elapsed(f"exercise {number:02}"):
            graded = await grading.grade(number, handlers)
    except AnswerError as error:
        show_output(Markdown(f"**Not yet.** It cannot be run: {error}"))
        return
    first, _, rest = graded.message.partition(". ")
    show_output(Markdown(f"**{first}.** {rest}"))


def hint(number: int) -> None:
    """Show the next hint: the first is vague, the last is exact."""
    _show(lambda: hints.next_hint(number))


def solution(number: int, *, anyway: bool = False) -> None:
    """Show the solution if the exercise is passed, or `anyway`."""
    _show(lambda: f"```python\n{hints.solution(number, anyway=anyway)}\n```")


def _show(text: Callable[[], str]) -> None:
    try:
        show_output(Markdown(text()))
    except (AnswerError, ProgressFileError) as error:
        show_output(Markdown(f"{error}"))
