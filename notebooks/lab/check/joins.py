"""Joins of rooms that a change removed."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.check.ir import Call, Const, Member, Name, Node, Source, This

if TYPE_CHECKING:
    from lab.check.facts import Facts

# calls that join a room, whatever they are called on
JOINS = frozenset({"enter_room", "join_room", "socketsJoin"})
# `join` joins lists, paths and threads, too
SOCKET = re.compile(r"sock|client|conn|request|session|^ws$|^s$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Join:
    """A call that joins a room."""

    path: str
    function: str
    line: int
    # the line's text with its spaces joined
    text: str
    # the arguments, so that equal joins are equal
    shape: str


def joins_of(facts: "Facts", paths: Mapping[str, str]) -> list[Join]:
    """Return the joins in some files. `paths` has a name for each path of `facts`."""
    found = []
    for path, name in paths.items():
        source = facts.sources[path]
        for call in _join_calls(source):
            shape = ", ".join(_shape(argument) for argument in call.args)
            text = " ".join(source.lines[call.line - 1].split()) if call.line <= len(source.lines) else ""
            found.append(Join(name, facts.function_at(call), call.line, text, shape))
    return found


def lost(old: list[Join], new: list[Join]) -> list[Join]:
    """Return the old joins that are gone.

    A function has lost a join if it has fewer joins than before. A join that another place has gained has only moved.
    """
    places = Counter((join.path, join.function) for join in new)
    kept = Counter((join.path, join.function, join.shape) for join in new)
    gained = Counter(join.shape for join in new) - Counter(join.shape for join in old)
    missing = Counter((join.path, join.function) for join in old) - places
    gone = []
    for join in old:
        place = (join.path, join.function)
        if kept[*place, join.shape]:
            kept[*place, join.shape] -= 1
        elif gained[join.shape]:
            gained[join.shape] -= 1
            missing[place] -= 1
        elif missing[place] > 0:
            missing[place] -= 1
            gone.append(join)
    return gone


def _join_calls(source: Source) -> Iterator[Call]:
    for statement in source.body:
        for node in statement.walk():
            if isinstance(node, Call) and _is_join(node):
                yield node


def _is_join(call: Call) -> bool:
    if isinstance(call.func, Name):
        return call.func.name in JOINS
    if not isinstance(call.func, Member):
        return False
    if call.func.name in JOINS:
        return True
    receiver = call.func.obj
    if call.func.name != "join" or not call.args or isinstance(receiver, This | Const):
        return False
    return isinstance(receiver, Name | Member) and SOCKET.search(receiver.name) is not None


def _shape(node: Node) -> str:
    """Return a text that is equal for equal expressions."""
    words = [type(node).__name__]
    words += [repr(value) for name in ("name", "value", "op") if not isinstance(value := getattr(node, name, ""), Node)]
    return f"{' '.join(words)}({', '.join(_shape(child) for child in node.children())})"
