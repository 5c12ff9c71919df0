"""Parses and judges a learner's answer: which mistakes a server has."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lab.diagnosis.cases import MISTAKES, look_at, mistake
from lab.results.claims import load_claims
from lab.system.exit_codes import UsageError

# what a learner may write for a server without a mistake
NONE_WORDS = ("none", "nothing", "ok")
GIVEN_UP = "?"
FORMS = "01 to 10, two of them such as 02+03, or none"

# None is a question that is not answered yet, an empty set is a server without a mistake
Answer = frozenset[int] | None
Guess = int | str | Iterable[int] | None


@dataclass(frozen=True)
class Judgement:
    """Whether an answer is right, and the reply to the learner."""

    outcome: Literal["unanswered", "right", "partly", "wrong"]
    text: str


def parse(guess: Guess) -> Answer:
    """Return the numbers of the mistakes that a learner's answer names.

    If the answer is that there is no mistake, the result is empty. If there is no answer yet, the result is None.
    Raises `UsageError` when the answer is not valid.
    """
    if guess is None:
        return None
    if isinstance(guess, str):
        words = re.split(r"[\s,+]+", guess.strip().lower())
        if words in [[word] for word in NONE_WORDS]:
            return frozenset()
    else:
        words = [str(number) for number in ([guess] if isinstance(guess, int) else guess)]
    if not all(word.isascii() and word.isdigit() and int(word) in MISTAKES for word in words):
        raise UsageError(f"{guess!r} is not an answer; an answer is {FORMS}")
    return frozenset(map(int, words))


def describe(mistakes: Iterable[int]) -> str:
    """Return the numbers and titles of mistakes, or `no mistake`."""
    claims = load_claims()
    return " and ".join(f"{number:02} ({claims[number - 1].title})" for number in sorted(mistakes)) or "no mistake"


def judge(answer: Answer, mistakes: tuple[int, ...], tries: int) -> Judgement:
    """Compare a learner's answer with the mistakes of a server.

    `tries` is how many wrong or incomplete answers the learner gave before. The reply to a wrong or incomplete answer
    says what is wrong. It also says where to look, if the answer is only incomplete or if `tries` is at least 1.
    """
    if answer is None:
        return Judgement("unanswered", "Not answered yet.")
    wrong, found = sorted(answer - set(mistakes)), sorted(answer & set(mistakes))
    missing = tuple(number for number in mistakes if number not in answer)
    if not wrong and not missing:
        return Judgement("right", f"Right: {describe(mistakes)}.")
    sentences = [f"{number:02} is right." for number in found]
    sentences += [f"Not {number:02}. {_refutation(number)}" for number in wrong]
    if not wrong:
        sentences.append("This server does one more thing wrong." if found else "This server does something wrong.")
    if tries or not wrong:
        sentences.append(look_at(missing))
    return Judgement("partly" if found else "wrong", " ".join(sentences))


def _refutation(number: int) -> str:
    """Return the reply to a learner's wrong answer.

    The answer names the mistake `number`, which the server does not have. The reply says how a server with this mistake
    behaves.
    """
    return f"A server with this mistake {mistake(number).tell} Here you see something else."
