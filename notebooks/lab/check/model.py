"""The classes for the checker's rules and findings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from lab.check.dialects import Dialect
from lab.check.facts import Facts
from lab.check.ir import Call, Index, Member, Node

Level = Literal["error", "warning", "question"]


@dataclass(frozen=True, slots=True)
class Hit:
    """Code that a checker's rule reports, with one sentence about it.

    `message` is the sentence. `level`, if given, replaces the rule's own level: "error", "warning" or "question".
    `node` is the code, and `part` is the expression in it that the sentence is about, such as a room. The report gives
    the column of `part` if `part` and `node` are in the same line, and otherwise the column of `node`.
    """

    path: str
    node: Node
    message: str
    level: Level | None = None
    part: Node | None = None

    @property
    def column(self) -> int:
        """The column for the report, counted from 1."""
        part = self.part
        # a chain such as `a.b()` has the place of its last name
        while isinstance(part, Call | Member | Index):
            part = part.func if isinstance(part, Call) else part.obj
        return part.column if part is not None and part.line == self.node.line else self.node.column


@dataclass(frozen=True, slots=True)
class Snippet:
    """Two short, complete example files for one Socket.IO library.

    In `bad`, a rule of the checker fires at each line that ends in `<- RMxxx`, where RMxxx is the id of the rule. In
    `good` no rule fires. Both files were written for this project.
    """

    bad: str
    good: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the checker, with the texts that explain it.

    `find` returns the places in the checked code where the rule fires.
    """

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
    # how to fix it in each API: one sentence, then one to three lines of code
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
    """A finding in the report: the place where a rule fires.

    `path` is relative to the checked folder, with `/` as separator.
    """

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
    # the API of the file, which `fix` is written for
    dialect: Dialect = field(default="node", compare=False)
