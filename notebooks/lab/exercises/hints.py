"""Hints and solutions of exercises, given out step by step."""

from lab.exercises import progress_file
from lab.exercises.tasks import AnswerError, load_exercise


def next_hint(number: int) -> str:
    """One hint more than last time, from vague to exact; the last one is repeated."""
    exercise = load_exercise(number)
    taken = progress_file.record_hint(f"{number:02}")
    index = min(taken, len(exercise.hints) - 1)
    return f"hint {index + 1} of {len(exercise.hints)}: {exercise.hints[index]}"


def solution(number: int, *, anyway: bool = False) -> str:
    """One right answer, once the exercise was passed or when it is wanted anyway; raises `AnswerError` before."""
    exercise = load_exercise(number)
    if not anyway and f"{number:02}" not in progress_file.load().passed:
        raise AnswerError(f"exercise {number:02} is not passed yet; lab solution {number:02} --anyway shows it anyway")
    return exercise.solution.strip()
