"""The cases of the blind diagnosis, and which server has which mistake.

In the blind diagnosis, a learner looks for the unknown mistakes of servers. A case is one task for practice: the
learner finds the mistakes of one server.
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
    """One mistake of the bad server, as data for the blind diagnosis.

    In the blind diagnosis, a learner looks for the unknown mistakes of servers. `events` are the events that have a
    different handler on a server with this mistake. `tell` tells the learner how such a server behaves, and how to see
    this behaviour. `look` tells the learner where to look, without naming the mistake.
    """

    id: str
    events: tuple[str, ...]
    tell: str
    look: str


class Choice(_Frozen):
    """The mistakes of one server, and what a user complains about.

    A claim is a statement about one mistake, and its scenario is an experiment that measures that mistake.
    `measured_by` has the numbers of the claims whose scenarios measure the server. It is empty if the claims have the
    same numbers as the mistakes.
    """

    mistakes: tuple[int, ...]
    complaint: str = ""
    measured_by: tuple[int, ...] = ()

    @property
    def claims(self) -> tuple[int, ...]:
        """The numbers of the claims whose scenarios measure this server.

        A claim is a statement about one mistake, and its scenario is an experiment that measures that mistake. The
        numbers are 1 to 10.
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
    """Identifies one server of the blind diagnosis: kind, seed and letter.

    In the blind diagnosis, a learner looks for the unknown mistakes of servers. `kind` is `practice` or `exam`, and
    `letter` is the name of the server. `seed` decides which server has which mistakes. A server process finds its
    mistakes from its ticket.
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
    """Read the mistakes and the cases from the file cases.toml.

    A case is a task of the blind diagnosis: a learner finds the unknown mistakes of one server.
    """
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

    In both of them, a learner looks for the unknown mistakes of servers. The result is a string with one letter per
    server.
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
