"""Lets a learner find the mistakes of unknown servers in a notebook."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lab.diagnosis.answers import Guess, describe
from lab.diagnosis.cases import Kind
from lab.diagnosis.result_page import answer_in_words, default_page, measured_in_words, write_page
from lab.diagnosis.session import ExamResult, Session, hand_in, open_letters
from lab.diagnosis.suspect import Suspect, TabState
from lab.lessons.cell_output import Markdown, ProgressLine, show_output, table
from lab.system.exit_codes import UsageError

# an inbox may be long; the last events are the interesting ones
SHOWN_EVENTS = 5


class Practice:
    """The blind diagnosis for practice, as methods for notebook cells.

    The learner examines servers with unknown mistakes, and answers which mistakes they have.
    """

    def __init__(self, kind: Kind = "practice", seed: int | None = None) -> None:
        self._session = Session(kind, seed)

    def __repr__(self) -> str:
        return repr(self._session)

    async def start(self, letter: str) -> Suspect:
        """Start the server with this letter, and return the running server.

        `letter` is the name of the server. This method also shows what a user complains about.
        """
        suspect = await self._session.start(letter)
        show_output(Markdown(f"**{self._session.describe(letter)}**\n\nIt listens at `{suspect.target.url}`."))
        return suspect

    async def look(self, letter: str) -> None:
        """Show what a server's simulated browser tabs received, and the server's state.

        `letter` names the server, which is started if it does not run. The state, such as the memory use, is measured
        by code of the lab inside the server process. First, this method waits until everything that was sent to the
        tabs has arrived.
        """
        suspect = await self._session.start(letter)
        await suspect.settle()
        tabs = "\n".join(map(str, map(_shortened, suspect.states()))) or "no tab is open"
        show_output(Markdown(f"```text\n{tabs}\n```"))
        numbers = (await suspect.read()).as_numbers()
        table(["what the probe sees", "number"], *([name, str(value)] for name, value in numbers.items()))

    async def answer(self, letter: str, guess: Guess) -> None:
        """Show whether a learner's answer about a server is right.

        If the answer is right, this method also measures the server and shows the result. `letter` names the server.
        `guess` is the number of a mistake, `"none"`, two numbers such as `(2, 3)`, or None for no answer yet.
        """
        try:
            judgement = self._session.judge(letter, guess)
        except UsageError as error:
            _show_refusal(error)
            return
        if judgement.outcome != "right":
            show_output(Markdown(f"**Server {letter}.** {judgement.text}"))
            return
        async with ProgressLine().show_elapsed(f"server {letter}"):
            findings = await self._session.measure(letter)
        show_output(Markdown(f"**Server {letter}. {judgement.text}** " + " ".join(map(str, findings))))

    async def stop(self) -> None:
        """Stop all servers of this practice or examination."""
        await self._session.stop()


class Examination(Practice):
    """The final examination of the blind diagnosis, as methods for notebook cells.

    The learner examines servers with unknown mistakes, and hands in all answers together.
    """

    async def hand_in(self, answers: Mapping[str, Guess], page: Path | str | None = None) -> None:
        """Show the result of the examination, and write an HTML page.

        `answers` maps the letter of each server to an answer; `"?"` gives up on that server. If a server has no answer,
        only the missing letters are shown. `page` is the path of the page, by default in the user's data folder.
        """
        try:
            for letter in answers:
                self._session.ticket(letter)
            missing = open_letters(self._session, answers)
        except UsageError as error:
            _show_refusal(error)
            return
        if missing:
            text = f"Not answered yet: {', '.join(missing)}. The result is shown when every server has an answer."
            show_output(Markdown(text))
            return
        line, count = ProgressLine(), len(self._session.letters)
        result = await hand_in(self._session, answers, lambda done: line.bar(done, count, "servers measured"))
        _show_result(result)
        path = write_page(result, default_page() if page is None else Path(page))
        show_output(Markdown(f"The result as a page: `{path}`"))


def diagnose(seed: int | None = None) -> Practice:
    """Return the blind diagnosis for practice, with its five servers.

    The methods of the returned object are for notebook cells. With them a learner examines the servers and finds the
    mistakes of each. The same seed always gives the same servers. Without a seed, the servers are random.
    """
    return Practice("practice", seed)


def examination(seed: int | None = None) -> Examination:
    """Return the final examination over all mistakes.

    The methods of the returned object are for notebook cells. With them a learner examines servers and answers which
    mistake each of them has. The same seed always gives the same servers. Without a seed, the servers are random.
    """
    return Examination("exam", seed)


def _show_refusal(error: UsageError) -> None:
    """Show in one line why a learner's answer is not valid."""
    show_output(Markdown(f"**Please write it in another way.** {error}."))


def _shortened(state: TabState) -> TabState:
    received = state.received
    if len(received) > SHOWN_EVENTS:
        received = [f"… {len(received) - SHOWN_EVENTS} more before", *received[-SHOWN_EVENTS:]]
    return replace(state, received=received)


def _show_result(result: ExamResult) -> None:
    show_output(Markdown(f"**{result.summary}.**"))
    rows = [
        [row.letter, answer_in_words(row), describe(row.mistakes), measured_in_words(row), row.verdict]
        for row in result.rows
    ]
    table(["server", "your answer", "it has", "what its scenario measures", ""], *rows)
