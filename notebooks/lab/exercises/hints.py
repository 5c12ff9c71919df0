"""Returns the hints and the solutions of exercises.

A learner gets the hints one by one.
"""

from lab.exercises import progress_file
from lab.exercises.tasks import AnswerError, load_exercise


def next_hint(number: int) -> str:
    """Return the next hint of an exercise.

    The first hint is vague, the last is exact. After the last hint, each call returns the last one again.
    """
    exercise = load_exercise(number)
    taken = progress_file.record_hint(f"{number:02}")
    index = min(taken, len(exercise.hints) - 1)
    return f"hint {index + 1} of {len(exercise.hints)}: {exercise.hints[index]}"


def solution(number: int, *, anyway: bool = False) -> str:
    """Return the solution of an exercise.

    Raises `AnswerError` if the exercise is not passed yet and `anyway` is false.
    """
    exercise = load_exercise(number)
    if not anyway and f"{number:02}" not in progress_file.load().passed:
        raise AnswerError(f"exercise {number:02} is not passed yet; lab solution {number:02} --anyway shows it anyway")
    return exercise.solution.strip()
