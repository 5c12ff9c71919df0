"""Shows interview questions, with answers that quote fresh measurements."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from lab.compare.comparison import Comparison
from lab.interview import last_numbers
from lab.interview.live_answers import collect_live_answers
from lab.interview.question_bank import Question, load_questions
from lab.interview.quotations import Numbers, claim_texts
from lab.lessons.cell_output import Markdown, show_output
from lab.report.json_document import as_json

CODE = re.compile(r"`([^`]+)`")


class Interview:
    """Shows the interview questions of a theme, with folded answers.

    Example: `ask = await questions(comparison)`, then `ask("Rooms")`. A click on a question unfolds its answer.
    """

    def __init__(self, comparison: Comparison, live_answers: Mapping[str, str]) -> None:
        self._asked: set[str] = set()
        rows: list[dict[str, Any]] = orjson.loads(as_json(comparison))["claims"]
        self._numbers = Numbers(claim_texts(rows) | last_numbers.live_and_fact_texts(live_answers))

    @property
    def asked(self) -> int:
        """The number of different questions that were shown so far."""
        return len(self._asked)

    def __call__(self, theme: str) -> None:
        for question in (question for question in load_questions() if question.theme == theme):
            self._asked.add(question.id)
            # a summary does not render Markdown
            summary = CODE.sub(r"<code>\1</code>", question.ask)
            parts = [_one_line(question.answer), self._measured(question), f"*Then:* {_one_line(question.then)}"]
            answer = "\n\n".join(part for part in parts if part)
            level = f"<small>level {question.level}</small>"
            show_output(Markdown(f"<details><summary><b>{summary}</b> {level}</summary>\n\n{answer}\n\n</details>"))

    def quoted(self, text: str) -> str:
        """Replace each key in braces by the measured value.

        Raises `KeyError` if nothing was measured under this key.
        """
        return self._numbers.quote(text)

    def _measured(self, question: Question) -> str:
        # a limit of the machine is not known on every system
        if not question.measured or "fact" in self._numbers.missing(question.measured):
            return ""
        return f"*Measured:* {self.quoted(question.measured)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


async def questions(comparison: Comparison) -> Interview:
    """Create an interview whose answers quote this comparison.

    It also starts a good server and collects its live answers. All numbers are recorded for `lab quiz`.
    """
    answers = await collect_live_answers()
    today = datetime.now().astimezone().date()
    try:
        last_numbers.record_comparison(comparison, today=today)
        last_numbers.record_live_answers(answers, today=today)
    except last_numbers.LastNumbersError as error:
        show_output(Markdown(f"*`lab quiz` will not know these numbers: {error}*"))
    return Interview(comparison, answers)
