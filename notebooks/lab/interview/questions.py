"""Shows interview questions, with answers that quote fresh measurements."""

import re
import tomllib
from collections.abc import Mapping
from importlib import resources

from pydantic import BaseModel, ConfigDict

from lab.compare.comparison import Comparison
from lab.interview.live_answers import collect_live_answers
from lab.lessons.cell_output import Markdown, show_output
from lab.results.verdict import reported_value
from lab.results.wording import number

# `{07.good}` quotes the primary metric of claim 07, `{07.duplicates.bad}` a secondary one by its key in claims.toml
MEASUREMENT = re.compile(r"\{(\d\d)\.(?:(\w+)\.)?(bad|good)\}")
# `{asked.polling}` quotes the good server's answer to a small request of lab.interview.live_answers
LIVE_ANSWER = re.compile(r"\{asked\.(\w+)\}")
CODE = re.compile(r"`([^`]+)`")


class Question(BaseModel):
    """A question of the interview, its short answer and a follow-up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    theme: str
    ask: str
    answer: str
    then: str


def load_questions() -> tuple[Question, ...]:
    """Return all questions of questions.toml in their order."""
    text = (resources.files("lab.interview") / "questions.toml").read_text(encoding="utf-8")
    return tuple(Question.model_validate(table) for table in tomllib.loads(text)["question"])


class Interview:
    """Shows the interview questions of a theme, with folded answers.

    Example: `ask = await questions(comparison)`, then `ask("Rooms")`. A click on a question unfolds its answer.
    """

    def __init__(self, comparison: Comparison, live_answers: Mapping[str, str]) -> None:
        self._live_answers = live_answers
        self._asked: set[tuple[str, str]] = set()
        self._results = {result.claim.id: result for result in comparison.results}

    @property
    def asked(self) -> int:
        """The number of different questions that were shown so far."""
        return len(self._asked)

    def __call__(self, theme: str) -> None:
        for question in (question for question in load_questions() if question.theme == theme):
            self._asked.add((theme, question.ask))
            # a summary does not render Markdown
            summary = CODE.sub(r"<code>\1</code>", question.ask)
            answer = f"{self.quoted(question.answer)}\n\n*Then:* {self.quoted(question.then)}"
            show_output(Markdown(f"<details><summary><b>{summary}</b></summary>\n\n{answer}\n\n</details>"))

    def quoted(self, text: str) -> str:
        """Replace each `{…}` in an answer by the measured value.

        Raises `KeyError` if nothing was measured under this key.
        """
        text = LIVE_ANSWER.sub(lambda match: self._live_answers[match[1]], " ".join(text.split()))
        return MEASUREMENT.sub(self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        result = self._results[match[1]]
        if match[2] is not None and match[2] not in {also.key for also in result.claim.also}:
            raise KeyError(f"claim {match[1]} has no metric {match[2]!r}")
        runs = result.runs["bad" if match[3] == "bad" else "good"]
        return number(reported_value(result.claim, runs, match[2]))


async def questions(comparison: Comparison) -> Interview:
    """Create an interview whose answers quote this comparison.

    It also starts a good server and collects its live answers.
    """
    return Interview(comparison, await collect_live_answers())
