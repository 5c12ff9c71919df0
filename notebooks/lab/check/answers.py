"""Answers about values that depend on each other, even in a circle."""

from abc import ABC, abstractmethod

from lab.check.ir import Node
from lab.check.scopes import Variable
from lab.check.tags import Tag

# questions that may be open at once
DEEPEST = 60


class Answers(ABC):
    """The tags of expressions and variables, each found once in a round.

    A question that is asked again while it is open gets the answer of the round before.
    """

    def __init__(self) -> None:
        self._known: dict[int, Tag] = {}
        self._open: set[int] = set()
        self._before: dict[int, Tag] = {}

    def forget(self) -> None:
        """Begin another round, because a role or a caller is new."""
        self._before, self._known = self._known, {}

    def of(self, expr: Node | None) -> Tag:
        """Return the tags of an expression."""
        if expr is None:
            return Tag.NONE
        key = id(expr)
        if key in self._known:
            return self._known[key]
        if key in self._open or len(self._open) > DEEPEST:
            return self._before.get(key, Tag.NONE)
        self._open.add(key)
        try:
            found = self._of_expression(expr)
        finally:
            self._open.discard(key)
        self._known[key] = found
        return found

    def of_variable(self, variable: Variable) -> Tag:
        """Return the tags of everything that a variable may hold."""
        key = id(variable)
        if key in self._known:
            return self._known[key]
        if key in self._open:
            return self._before.get(key, Tag.NONE)
        self._open.add(key)
        try:
            found = self._of_variable(variable)
        finally:
            self._open.discard(key)
        self._known[key] = found
        return found

    def of_all(self, exprs: list[Node]) -> Tag:
        """Return the tags of all expressions together."""
        found = Tag.NONE
        for expr in exprs:
            found |= self.of(expr)
        return found

    @abstractmethod
    def _of_expression(self, expr: Node) -> Tag: ...

    @abstractmethod
    def _of_variable(self, variable: Variable) -> Tag: ...
