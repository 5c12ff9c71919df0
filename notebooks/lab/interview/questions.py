"""Answers for the interview: questions whose answers quote what was measured a moment ago, by claim and by side."""

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

# `{07.good}` is the primary metric of claim 07, `{07.duplicates.bad}` a secondary one by its key in claims.toml
QUOTED = re.compile(r"\{(\d\d)\.(?:(\w+)\.)?(bad|good)\}")
# `{asked.crowd}` is what the good server answered to one of the small questions of lab.interview.live_answers
ANSWERED = re.compile(r"\{asked\.(\w+)\}")
CODE = re.compile(r"`([^`]+)`")


class Question(BaseModel):
    """What is asked, the short answer, and the follow-up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    theme: str
    ask: str
    answer: str
    then: str


def load_questions() -> tuple[Question, ...]:
    """All of questions.toml, in their order."""
    text = (resources.files("lab.interview") / "questions.toml").read_text(encoding="utf-8")
    return tuple(Question.model_validate(table) for table in tomllib.loads(text)["question"])


class Interview:
    """Shows the questions of a theme, each answer folded: `ask("Rooms")`."""

    def __init__(self, comparison: Comparison, answered: Mapping[str, str]) -> None:
        self._answered = answered
        self._asked: set[tuple[str, str]] = set()
        self._results = {result.claim.id: result for result in comparison.results}

    @property
    def asked(self) -> int:
        """How many questions were asked; one whose cell is run again counts once."""
        return len(self._asked)

    def __call__(self, theme: str) -> None:
        for question in (question for question in load_questions() if question.theme == theme):
            self._asked.add((theme, question.ask))
            # no Markdown inside a summary
            asked = CODE.sub(r"<code>\1</code>", question.ask)
            answer = f"{self.quoted(question.answer)}\n\n*Then:* {self.quoted(question.then)}"
            show_output(Markdown(f"<details><summary><b>{asked}</b></summary>\n\n{answer}\n\n</details>"))

    def quoted(self, text: str) -> str:
        """The text with every quotation replaced by its value; raises `KeyError` for one that is not measured."""
        text = ANSWERED.sub(lambda match: self._answered[match[1]], " ".join(text.split()))
        return QUOTED.sub(self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        result = self._results[match[1]]
        if match[2] is not None and match[2] not in {also.key for also in result.claim.also}:
            raise KeyError(f"claim {match[1]} has no metric {match[2]!r}")
        runs = result.runs["bad" if match[3] == "bad" else "good"]
        return number(reported_value(result.claim, runs, match[2]))


async def questions(comparison: Comparison) -> Interview:
    """What asks the questions, with the numbers of one comparison, and what a good server answers now."""
    return Interview(comparison, await collect_live_answers())
