"""What a rule is, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from lab.check.dialects import Dialect
from lab.check.facts import Facts
from lab.check.ir import Node

Level = Literal["error", "warning", "question"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where a rule fires, with one sentence about it.

    `level` replaces the rule's own level.
    """

    path: str
    node: Node
    message: str
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Snippet:
    """Two short, complete files in one API.

    In `bad` the rule fires at each line that ends in `<- RMxxx`. In `good` no rule fires. Both are our own code.
    """

    bad: str
    good: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, with the texts of the page that explains it."""

    id: str
    # number of the mistake, such as "02"
    mistake: str
    level: Level
    # a few words: "emit to a socket id taken from a map"
    title: str
    what: str
    why: str
    # when the finding is no mistake
    exceptions: str
    # how to fix it in each API; one sentence
    fix: dict[Dialect, str]
    snippets: dict[Dialect, Snippet]
    find: Callable[[Facts], Iterable[Hit]]
    # reported at most once for each server of the project
    once: bool = False
    # not asked with `--no-accounts`
    accounts: bool = False
    # SARIF's security-severity, "0.0" to "10.0"; "" for a rule that is not about security
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A place where a rule fires, as it is reported. `path` is relative to the checked folder, with `/`."""

    rule: str
    mistake: str
    level: Level
    path: str
    line: int
    column: int
    end_line: int
    message: str
    cost: str
    fix: str
    lesson: str
    # the enclosing function, such as "Chat.on_message", or ""
    function: str = field(default="", compare=False)
    # the line's text with its spaces joined
    text: str = field(default="", compare=False)
