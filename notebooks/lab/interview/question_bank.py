"""The job interview questions, read from questions.toml."""

import tomllib
from functools import cache
from importlib import resources
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LEVELS = (1, 2, 3)


class Question(BaseModel):
    """A job interview question, its short answer and a follow-up question.

    `measured` is a sentence that quotes measured numbers by keys, such as `{07.good}`; it is empty if no measured
    number answers the question. `then` is the follow-up question. `level` is 1 (basics) to 3 (several servers and
    design). `id` identifies the question. The command `lab quiz` records answers under this `id`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    theme: str
    level: Annotated[int, Field(ge=LEVELS[0], le=LEVELS[-1])]
    ask: str
    answer: str
    measured: str = ""
    then: str


@cache
def load_questions() -> tuple[Question, ...]:
    """Return all questions of questions.toml in their order."""
    text = (resources.files("lab.interview") / "questions.toml").read_text(encoding="utf-8")
    return tuple(Question.model_validate(table) for table in tomllib.loads(text)["question"])
