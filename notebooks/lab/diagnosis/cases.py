"""The tasks in which a learner has to find servers' mistakes.

This module decides which server has which mistakes. A task for practice is called a case.
"""

import random
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["practice", "exam"]
MISTAKES = range(1, 11)
# servers are labelled with these letters, in order
LETTERS = "ABCDEFGHIJK"
MOST_SEED = 999_999


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mistake(_Frozen):
    """One mistake of the bad server, with hints for learners.

    `events` are the events that have a different handler on a server with this mistake. `tell` tells a learner how such
    a server behaves, and how to see this behaviour. `look` tells a learner where to look, without naming the mistake.
    """

    id: str
    events: tuple[str, ...]
    tell: str
    look: str


class Choice(_Frozen):
    """The mistakes of one server, and what a user complains about.

    A claim is a statement about one mistake, which an experiment tests. `measured_by` has the numbers of the claims
    that are tested on this server. If it is empty, the claims have the same numbers as the mistakes.
    """

    mistakes: tuple[int, ...]
    complaint: str = ""
    measured_by: tuple[int, ...] = ()

    @property
    def claims(self) -> tuple[int, ...]:
        """The numbers (1 to 10) of the claims tested on this server.

        A claim is a statement about one mistake, which an experiment tests.
        """
        return self.measured_by or self.mistakes


class Case(_Frozen):
    """One task of the blind diagnosis: its title and its possible servers.

    The learner has to find the mistakes of one server. Each entry of `choice` is a possible server. A seed decides
    which of them the learner examines.
    """

    title: str
    choice: tuple[Choice, ...]


class _File(_Frozen):
    no_mistake_look: str
    mistake: tuple[Mistake, ...]
    case: tuple[Case, ...]


@dataclass(frozen=True)
class Ticket:
    """Identifies one server whose mistakes a learner has to find.

    `kind` is `practice` or `exam`, and `letter` is the name of the server. `seed` decides which server has which
    mistakes. A server process finds its mistakes from its ticket.
    """

    kind: Kind
    seed: int
    letter: str

    def __str__(self) -> str:
        return f"{self.kind} {self.seed} {self.letter}"

    @classmethod
    def parse(cls, text: str) -> "Ticket":
        """Return the ticket for a string that `str(ticket)` has made.

        A ticket identifies one server whose mistakes a learner has to find.
        """
        kind, seed, letter = text.split()
        return cls("exam" if kind == "exam" else "practice", int(seed), letter)

    def open(self) -> Choice:
        """Return the mistakes of the server that this ticket identifies.

        A learner has to find these mistakes. The result also has a user's complaint about the server.
        """
        return assign(self.kind, self.seed)[self.letter]


@cache
def load() -> _File:
    """Read the mistakes and the practice tasks from the file cases.toml."""
    text = (resources.files("lab.diagnosis") / "cases.toml").read_text(encoding="utf-8")
    return _File.model_validate(tomllib.loads(text))


def mistake(number: int) -> Mistake:
    """Return the data of the mistake with this number, 1 to 10."""
    return load().mistake[number - 1]


def look_at(mistakes: tuple[int, ...]) -> str:
    """Return a hint that says where to look for these mistakes.

    The hint does not name the mistakes. If `mistakes` is empty, the hint is a general one.
    """
    return " ".join(mistake(number).look for number in mistakes) or load().no_mistake_look


def letters(kind: Kind) -> str:
    """Return the letters that name the servers of a practice or examination.

    A learner has to find the mistakes of these servers. The result is a string with one letter per server.
    """
    return LETTERS[: len(MISTAKES) + 1 if kind == "exam" else len(load().case)]


def new_seed() -> int:
    """Return a random seed that nobody can predict.

    The seed is an integer that decides which server has which mistakes.
    """
    return random.SystemRandom().randint(0, MOST_SEED)


def assign(kind: Kind, seed: int) -> Mapping[str, Choice]:
    """Return the mistakes of each server, by the server's letter.

    A learner has to find these mistakes, for practice or in an examination (`kind`). The same seed always gives the
    same servers. In a practice, each server is more difficult to diagnose than the server before. In the examination,
    each server has a different mistake, and one server has none.
    """
    source = random.Random(f"{kind} {seed}")  # noqa: S311 - a repeatable choice, not a secret
    if kind == "practice":
        chosen = [source.choice(case.choice) for case in load().case]
    else:
        # a server without a mistake is measured like one of the others
        healthy = Choice(mistakes=(), measured_by=(source.choice(MISTAKES),))
        chosen = [healthy, *(Choice(mistakes=(number,)) for number in MISTAKES)]
        source.shuffle(chosen)
    return dict(zip(letters(kind), chosen, strict=True))
