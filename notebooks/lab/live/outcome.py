"""The result of an action on one server of `lab live`'s page."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """The result of an action of `lab live`'s page on one server.

    `problem` is a sentence that comes first when the page describes the result, such as why the server refused.
    `answer` is the server's ack, which the page's console shows.
    """

    problem: str | None = None
    answer: dict[str, Any] | None = None


DONE = Outcome()
