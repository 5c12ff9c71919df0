"""The command `lab diagnose`: a learner finds the mistakes of servers."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.cli import results
from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE, UsageError
from lab.system.interrupts import interrupt_on_sigterm, run_until_interrupted

# Heavy modules are imported only when a command needs them: a usage error should not take two seconds.
if TYPE_CHECKING:
    from lab.diagnosis.session import ExamResult, Session

CASES = 5
# wide enough for the table, when the output is not a terminal
COLUMNS_WITHOUT_TERMINAL = 140


def add_command(commands: Any) -> None:
    """Adds `diagnose` to the commands of `lab`."""
    diagnose = commands.add_parser(
        "diagnose",
        help="find out what is wrong with a server",
        description="Starts a server that has one of the ten mistakes, two of them, or none. You examine it with the"
        " commands of a prompt, or with clients of your own, and say what it is. There are five cases, A to E, and an"
        " examination over all mistakes. Which server has which mistake is different each time, unless you give a seed."
        " Exit code 0 when every answer is right, else 1.",
        epilog="example: lab diagnose 2; in another terminal: lab diagnose --seed 7 --answer A=06 B=none C=02+03",
    )
    diagnose.add_argument("number", metavar="N", nargs="?", help=f"one case, 1 to {CASES}; without it: all")
    diagnose.add_argument("--exam", action="store_true", help="the final examination, over all mistakes")
    diagnose.add_argument("--seed", metavar="N", type=int, help="the same servers as in another run with this seed")
    diagnose.add_argument(
        "--answer",
        metavar="LETTER=ANSWER",
        nargs="+",
        help="answer without a prompt; in the examination ? gives one up",
    )
    diagnose.add_argument("--page", metavar="FILE", type=Path, help="the result page of the examination")
    diagnose.set_defaults(run=_diagnose)


def _diagnose(options: argparse.Namespace) -> int:
    letter = _chosen_letter(options)
    if options.page is not None and not options.exam:
        raise UsageError("--page is the result page of the examination: add --exam")
    from lab.diagnosis.session import Session

    session = Session("exam" if options.exam else "practice", options.seed)
    answers = None if options.answer is None else _answers(session, options.answer, letter)
    results.check_outputs([options.page])
    interrupt_on_sigterm()
    if answers is None:
        return run_until_interrupted(_converse(session, letter or session.letters[0], options.page))
    if options.exam:
        return run_until_interrupted(_hand_in(session, answers, options.page))
    return run_until_interrupted(_judge(session, answers))


def _chosen_letter(options: argparse.Namespace) -> str | None:
    """Returns the letter of the chosen case; None means all cases.

    A case is a server whose mistakes the learner has to find. Raises `UsageError` when there is no such case.
    """
    text: str | None = options.number
    if text is None:
        return None
    if options.exam:
        raise UsageError("the examination has no cases: leave the number out")
    if not (text.isdecimal() and 1 <= int(text) <= CASES):
        raise UsageError(f"there is no case {text!r}; there are 1 to {CASES}")
    return "ABCDE"[int(text) - 1]


def _answers(session: "Session", words: list[str], letter: str | None) -> dict[str, str]:
    """Returns the user's diagnosis of each server, by the server's letter.

    `words` are options such as `A=03`: server A has the mistake 03. If `letter` is given, every option must name that
    server. Raises `UsageError` when an option is not valid.
    """
    from lab.diagnosis.answers import GIVEN_UP, parse

    answers = {}
    for word in words:
        name, equals, answer = word.partition("=")
        name = name.upper()
        if not equals:
            raise UsageError(f"--answer {word}: write it like A=03")
        session.ticket(name)
        if letter is not None and name != letter:
            raise UsageError(f"--answer {word}: this case is server {letter}")
        if answer != GIVEN_UP:
            parse(answer)
        answers[name] = answer
    return answers


async def _judge(session: "Session", answers: Mapping[str, str]) -> int:
    """Prints whether each answer from the command line is right.

    `answers` maps the letter of a server to the learner's diagnosis, such as `03`. After a right answer, the server is
    also measured, and the result is printed. Returns the exit code.
    """
    outcomes = []
    for letter, answer in answers.items():
        judgement = session.judge(letter, answer)
        outcomes.append(judgement.outcome)
        _say(f"{letter}: {judgement.text}")
        if judgement.outcome == "right":
            for finding in await session.measure(letter):
                _say(str(finding))
    return EXIT_DONE if set(outcomes) == {"right"} else EXIT_NOT_DONE


async def _hand_in(session: "Session", answers: Mapping[str, str], page: Path | None) -> int:
    """Judges the answers of an examination, and prints and saves the result.

    `answers` maps the letter of a server to the learner's diagnosis, and `page` is the HTML file for the result. If
    servers have no answer yet, the function only prints their letters and judges nothing. Returns the exit code.
    """
    from lab.diagnosis.result_page import default_page, write_page
    from lab.diagnosis.session import hand_in, open_letters

    if missing := open_letters(session, answers):
        _say(f"not handed in: {', '.join(missing)} have no answer yet; ? gives one up")
        return EXIT_NOT_DONE
    count = len(session.letters)
    result = await hand_in(session, answers, lambda done: print(f"measured {done} of {count}", file=sys.stderr))
    _show(result)
    _say(f"the result as a page: {write_page(result, page or default_page())}")
    return EXIT_DONE if result.right == count else EXIT_NOT_DONE


async def _converse(session: "Session", letter: str, page: Path | None) -> int:
    """Lets the learner examine servers and give answers at a prompt.

    `letter` names the first server. Only the final examination (`--exam`) writes a file with its result: this file is
    `page`, and None means the default file. Returns the exit code.
    """
    from lab.cli.line_reader import lines
    from lab.diagnosis.prompt import Prompt
    from lab.diagnosis.session import open_letters

    exam = " --exam" if session.kind == "exam" else ""
    _say(f"The same servers again: lab diagnose{exam} --seed {session.seed}")
    prompt = Prompt(session, letter, _say)
    try:
        await prompt.begin()
        _ask(prompt.letter)
        async for line in lines():
            await prompt.do(line)
            if prompt.is_done or (exam and not open_letters(session, prompt.answers)):
                break
            _ask(prompt.letter)
    finally:
        await session.stop()
    if exam:
        return await _hand_in(session, prompt.answers, page)
    return EXIT_DONE if prompt.right and prompt.right == prompt.answers.keys() else EXIT_NOT_DONE


def _ask(letter: str) -> None:
    if sys.stdin is not None and sys.stdin.isatty():
        print(f"{letter}> ", end="", flush=True)


def _say(text: str) -> None:
    print(text, flush=True)


def _show(result: "ExamResult") -> None:
    from rich.table import Table

    from lab.diagnosis.answers import describe
    from lab.diagnosis.result_page import answer_in_words, measured_in_words

    grid = Table(header_style="bold", title=result.summary, title_justify="left")
    for heading in ("", "your answer", "it has", "what its scenario measures", ""):
        grid.add_column(heading)
    for row in result.rows:
        words = (answer_in_words(row), describe(row.mistakes), measured_in_words(row))
        grid.add_row(row.letter, *words, row.verdict)
    results.show(grid, columns=COLUMNS_WITHOUT_TERMINAL)
