"""Finds and caches what is known of values in checked code.

Each known fact is called a tag, such as "sent by the client". The tags of several values can depend on each other, even
in a circle (`a = b` and later `b = a`).
"""

from abc import ABC, abstractmethod

from lab.check.ir import Node
from lab.check.scopes import Variable
from lab.check.tags import Tag

# questions that may be open at once
DEEPEST = 60


class Answers(ABC):
    """Finds and caches the tags of expressions and variables.

    A tag says what is known of a value in checked code, such as "sent by the client". The tags are found in several
    rounds; `forget` begins a new round. In each round, the tags of a value are found once and then cached. If the tags
    of a value depend on themselves (`a = b` and later `b = a`), the tags of the previous round are used. Without a
    previous round, the value has no tags.
    """

    def __init__(self) -> None:
        self._known: dict[int, Tag] = {}
        self._open: set[int] = set()
        self._before: dict[int, Tag] = {}

    def forget(self) -> None:
        """Begin a new round, in which all tags are found again.

        A tag says what is known of a value, such as "sent by the client". More can be known after a new handler was
        found: a client sends the parameters of the handler.
        """
        self._before, self._known = self._known, {}

    def of(self, expr: Node | None) -> Tag:
        """Return the tags of the expression `expr`.

        A tag says what is known of its value, such as "sent by the client". If `expr` is None, there are no tags.
        """
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
        """Return the tags of all values that `variable` can have.

        A tag says what is known of a value, such as "sent by the client".
        """
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
        """Return the tags of several expressions, all together.

        A tag says what is known of a value, such as "sent by the client".
        """
        found = Tag.NONE
        for expr in exprs:
            found |= self.of(expr)
        return found

    @abstractmethod
    def _of_expression(self, expr: Node) -> Tag: ...

    @abstractmethod
    def _of_variable(self, variable: Variable) -> Tag: ...
