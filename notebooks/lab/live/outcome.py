"""What an action led to on one side, beyond its events."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """The result of an action on one side.

    `problem` is a fact that stands before all others, such as a refusal. `answer` is the server's ack, for the page's
    console.
    """

    problem: str | None = None
    answer: dict[str, Any] | None = None


DONE = Outcome()
