"""Answers for help at an exercise, as a notebook shows it: the grade, the next hint, the solution."""

from typing import Any

from lab import grade as exercises
from lab.output import Line, Text, put


async def grade(number: int, handlers: type[Any]) -> None:
    """Runs the lesson's own scenario on the class, and says in numbers how it did: `await lab.grade(3, Handlers)`."""
    async with Line().ticking(f"exercise {number:02}"):
        graded = await exercises.grade(number, handlers)
    first, _, rest = graded.told.partition(". ")
    put(Text(f"**{first.rstrip('.')}.** {rest}"))


def hint(number: int) -> None:
    """Shows the next hint: vague at first, exact at last."""
    put(Text(exercises.next_hint(number)))


def solution(number: int, *, anyway: bool = False) -> None:
    """Shows one right answer, once the exercise is passed, or `anyway`."""
    put(Text(f"```python\n{exercises.solution(number, anyway=anyway)}\n```"))
