"""A learner's session of the blind diagnosis: servers, answers and examination.

In the blind diagnosis, a learner has to find the mistakes of unknown servers.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lab.diagnosis.answers import GIVEN_UP, Answer, Guess, Judgement, judge, parse
from lab.diagnosis.cases import Kind, Ticket, letters, load, new_seed
from lab.diagnosis.measurement import Finding, measure, measure_all
from lab.diagnosis.suspect import Suspect
from lab.system.exit_codes import UsageError


class Session:
    """The servers of one practice or examination, labelled with letters.

    In both of them, a learner has to find the unknown mistakes of the servers. Which server has which mistake depends
    on the seed. Nothing is stored in a file.
    """

    def __init__(self, kind: Kind = "practice", seed: int | None = None) -> None:
        self.kind = kind
        self.seed = new_seed() if seed is None else seed
        self.letters = letters(kind)
        self._running: dict[str, Suspect] = {}
        self._wrong_answers: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"{self.kind} with the servers {self.letters[0]} to {self.letters[-1]}"

    def ticket(self, letter: str) -> Ticket:
        """Return the ticket that identifies the server with this letter.

        Raises `UsageError` if there is no such server.
        """
        if letter not in list(self.letters):
            raise UsageError(f"there is no server {letter!r}; there are {self.letters[0]} to {self.letters[-1]}")
        return Ticket(self.kind, self.seed, letter)

    def describe(self, letter: str) -> str:
        """Return the first text that the learner sees about a server.

        Raises `UsageError` if there is no such server.
        """
        complaint = self.ticket(letter).open().complaint
        if self.kind == "exam":
            return f"Server {letter}. Nobody has complained yet."
        number = self.letters.index(letter)
        return f"Case {number + 1}, server {letter}: {load().case[number].title}. A user says: “{complaint}”"

    async def start(self, letter: str) -> Suspect:
        """Return the running server with this letter; start it if needed."""
        if letter not in self._running:
            suspect = Suspect(self.ticket(letter))
            await suspect.start()
            self._running[letter] = suspect
        return self._running[letter]

    async def stop(self) -> None:
        """Stop all servers of this session."""
        running = list(self._running.values())
        self._running.clear()
        await asyncio.gather(*(suspect.stop() for suspect in running))

    def judge(self, letter: str, guess: Guess) -> Judgement:
        """Compare a learner's answer with the mistakes of a server.

        `letter` names the server, and `guess` is the answer. The learner may try again. Raises `UsageError` when the
        answer is not valid, or when there is no such server.
        """
        judgement = judge(parse(guess), self.ticket(letter).open().mistakes, self._wrong_answers.get(letter, 0))
        if judgement.outcome in ("partly", "wrong"):
            self._wrong_answers[letter] = self._wrong_answers.get(letter, 0) + 1
        return judgement

    async def measure(self, letter: str) -> list[Finding]:
        """Measure the server with this letter and, for comparison, the good server.

        Returns one finding per experiment: what the experiment measured on these two servers.
        """
        return await measure(self.ticket(letter))


@dataclass(frozen=True)
class ExamRow:
    """The result of one server of an examination.

    In the examination, a learner looks for the mistakes of servers. `answer` are the mistakes that the learner named,
    or None if the learner gave up on this server. `mistakes` are the mistakes that the server really has. `findings`
    are the values that were measured on the server.
    """

    letter: str
    answer: Answer
    mistakes: tuple[int, ...]
    findings: Sequence[Finding]

    @property
    def is_right(self) -> bool:
        """Whether the learner's answer names exactly the mistakes of the server."""
        return self.answer == frozenset(self.mistakes)

    @property
    def verdict(self) -> str:
        """The word `right` or `wrong`, which judges the learner's answer."""
        return "right" if self.is_right else "wrong"


@dataclass(frozen=True)
class ExamResult:
    """The results of all servers whose mistakes a learner had to find."""

    seed: int
    rows: Sequence[ExamRow]

    @property
    def right(self) -> int:
        """How many servers the learner diagnosed correctly."""
        return sum(row.is_right for row in self.rows)

    @property
    def summary(self) -> str:
        """One line for the learner, such as `9 of 11 servers diagnosed`."""
        return f"{self.right} of {len(self.rows)} servers diagnosed"


def open_letters(session: Session, guesses: Mapping[str, Guess]) -> list[str]:
    """Return the letters of the servers without an answer.

    `guesses` maps letters to a learner's answers. Raises `UsageError` when an answer is not valid.
    """
    return [letter for letter in session.letters if not _is_answered(guesses.get(letter))]


async def hand_in(
    session: Session, guesses: Mapping[str, Guess], finished: Callable[[int], None] = lambda done: None
) -> ExamResult:
    """Measure all servers of an examination, and judge the learner's answers.

    An answer says which mistakes a server has. `guesses` maps the letters of the servers to answers. After each
    measured server, this function calls `finished` with the number of servers measured so far. Raises `UsageError` when
    an answer is not valid.
    """
    tickets = [session.ticket(letter) for letter in session.letters]
    findings = await measure_all(tickets, finished)
    rows = [
        ExamRow(ticket.letter, _parse(guesses.get(ticket.letter)), ticket.open().mistakes, findings[ticket])
        for ticket in tickets
    ]
    return ExamResult(session.seed, rows)


def _is_answered(guess: Guess) -> bool:
    return guess == GIVEN_UP or _parse(guess) is not None


def _parse(guess: Guess) -> Answer:
    return None if guess == GIVEN_UP else parse(guess)
