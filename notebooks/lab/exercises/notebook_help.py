"""Functions for exercises in notebooks: grade, hint and solution."""

from collections.abc import Callable
from typing import Any

from lab.exercises import grade as grading
from lab.exercises import hints
from lab.exercises.progress_file import ProgressFileError
from lab.exercises.tasks import AnswerError
from lab.lessons import background
from lab.lessons.cell_output import Markdown, ProgressLine, show_output


async def grade(number: int, handlers: type[Any]) -> None:
    """Grade a learner's class and show the grade below the cell.

    The class is measured with the experiment of the lesson, then checked for other faults. Example:
    `await lab.grade(3, Handlers)`.
    """
    await background.end()
    try:
        async with ProgressLine().show_elapsed(f"exercise {number:02}"):
            graded = await grading.grade(number, handlers)
    except AnswerError as error:
        show_output(Markdown(f"**Not yet.** It cannot be run: {error}"))
        return
    first, _, rest = graded.message.partition(". ")
    show_output(Markdown(f"**{first}.** {rest}"))
    if graded.discussion:
        show_output(Markdown(graded.discussion))


def hint(number: int) -> None:
    """Show the next hint of an exercise.

    The first hint is vague, the last is exact.
    """
    _show(lambda: hints.next_hint(number))


def solution(number: int, *, anyway: bool = False) -> None:
    """Show the solution of an exercise that the learner has passed.

    With `anyway`, the solution is shown even if the exercise is not passed.
    """
    _show(lambda: f"```python\n{hints.solution(number, anyway=anyway)}\n```")


def _show(text: Callable[[], str]) -> None:
    try:
        show_output(Markdown(text()))
    except (AnswerError, ProgressFileError) as error:
        show_output(Markdown(f"{error}"))
