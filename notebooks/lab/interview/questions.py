"""Shows job interview questions in a notebook, with answers that quote measurements.

The measurements are the last ones on this machine. Measurements that are missing and take little time are made first.
"""

import re
from datetime import date, datetime

from lab.compare.comparison import Comparison
from lab.compare.runner import compare
from lab.interview import last_numbers
from lab.interview.last_numbers import LastNumbers, LastNumbersError
from lab.interview.live_answers import collect_live_answers
from lab.interview.question_bank import Question, load_questions
from lab.interview.quotations import Numbers
from lab.lessons.cell_output import Markdown, ProgressLine, show_output, table
from lab.results.claims import load_claims
from lab.results.verdict import Verdict
from lab.results.wording import OUTCOMES

CODE = re.compile(r"`([^`]+)`")
# on a free machine these take about ten seconds together; `lab compare` measures the others
QUICK_CLAIMS = ("02", "03", "06", "08")
NOT_MEASURED = "not yet"


class Interview:
    """Shows the job interview questions of a theme, with folded answers.

    Example: `ask = await questions()`, then `ask("Rooms")` for the theme `Rooms`. A click on a question unfolds its
    answer.
    """

    def __init__(self, numbers: Numbers) -> None:
        self._asked: set[str] = set()
        self.numbers = numbers

    @property
    def asked(self) -> int:
        """The number of different questions that were shown so far."""
        return len(self._asked)

    @property
    def all_asked(self) -> bool:
        """Whether every question was shown."""
        return self.asked == len(load_questions())

    def __call__(self, theme: str) -> None:
        for question in (question for question in load_questions() if question.theme == theme):
            self._asked.add(question.id)
            # a summary does not render Markdown
            summary = CODE.sub(r"<code>\1</code>", question.ask)
            parts = [_one_line(question.answer), self._measured(question), f"*Then:* {_one_line(question.then)}"]
            answer = "\n\n".join(part for part in parts if part)
            level = f"<small>level {question.level}</small>"
            show_output(Markdown(f"<details><summary><b>{summary}</b> {level}</summary>\n\n{answer}\n\n</details>"))

    def value(self, key: str, *, otherwise: float) -> float:
        """Return the measured number with the key `key`, such as `07.good`. If there is none, return `otherwise`."""
        text = self.numbers.texts.get(key)
        return otherwise if text is None else float(text.replace(",", ""))

    def show_numbers(self) -> None:
        """Show a table with the numbers of each claim about the servers.

        The table also has the day of each measurement. Claims that were not confirmed by their last measurement are
        listed below it.
        """
        rows = []
        for claim in load_claims():
            link = f"[{claim.id} · {claim.title}]({claim.id}_{claim.slug.replace('-', '_')}.ipynb)"
            keys = [f"{claim.id}.{side}" for side in ("bad", "good")]
            values = [self.numbers.texts.get(key, "–") for key in keys]
            day = self.numbers.days.get(claim.id)
            known = keys[0] in self.numbers.texts and day is not None
            rows.append([link, *values, claim.unit, f"{day}" if known else NOT_MEASURED])
        table(["claim", "bad", "good", "unit", "measured on"], *rows)
        for claim_id in sorted(self.numbers.not_shown):
            show_output(Markdown(f"*Claim {claim_id} was not shown in its last run, so its numbers are doubtful.*"))

    def _measured(self, question: Question) -> str:
        if not question.measured:
            return ""
        return self.numbers.measured_sentence(question.measured)


def _one_line(text: str) -> str:
    return " ".join(text.split())


async def questions() -> Interview:
    """Return the job interview questions, with answers that quote measurements.

    The answers quote the last measurements on this machine. Measurements that are missing and take little time are made
    now. Then a good server is started, and its answers to small requests are collected. All these results are recorded
    for `lab quiz`.
    """
    today = datetime.now().astimezone().date()
    last, notes = _recorded()
    measured = await _measure_missing(last, today)
    last.add_live_answers(await collect_live_answers(), today=today)
    try:
        last_numbers.save(last)
    except LastNumbersError as error:
        notes.append(str(error))
    for line in (measured, *notes):
        if line:
            show_output(Markdown(f"*{line}*"))
    return Interview(last.numbers())


def _recorded() -> tuple[LastNumbers, list[str]]:
    try:
        return last_numbers.load(), []
    except LastNumbersError as error:
        return LastNumbers(), [str(error)]


async def _measure_missing(last: LastNumbers, today: date) -> str:
    """Measure the claims that have no number and are quick to measure.

    A claim is a statement about the bad and the good server. The numbers are added to `last`, with `today` as the day
    of their measurement. Returns one string with the outcome of each measured claim, or an empty string if none was
    measured.
    """
    missing = last.numbers().missing("".join(f"{{{id}.good}}" for id in QUICK_CLAIMS))
    if not missing:
        return ""
    claims = [claim for claim in load_claims() if claim.id in missing]
    line = ProgressLine()
    async with line.show_elapsed(f"the claims without a number: {', '.join(missing)}"):
        comparison: Comparison = await compare(claims)
    last.add_comparison(comparison, today=today)
    return "; ".join(_outcome(result.claim.id, result.verdict) for result in comparison.results)


def _outcome(claim_id: str, verdict: Verdict) -> str:
    return f"claim {claim_id}: {OUTCOMES[verdict.outcome]}"
