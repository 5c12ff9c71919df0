"""Finds calls that join rooms and were deleted by a code change."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.check.facts import Facts
from lab.check.ir import Call, Const, Member, Name, Node, Source, This

# calls that join a room, whatever they are called on
JOINS = frozenset({"enter_room", "join_room", "socketsJoin"})
# `join` joins lists, paths and threads, too
SOCKET = re.compile(r"sock|client|conn|request|session|^ws$|^s$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Join:
    """A call that puts a socket into a room."""

    path: str
    function: str
    line: int
    # the line's text with its spaces joined
    text: str
    # the arguments, so that equal joins are equal
    shape: str


def joins_of(facts: Facts, paths: Mapping[str, str]) -> list[Join]:
    """Return the calls that put sockets into rooms, in certain files.

    The keys of `paths` are the paths of these files. The value is the path that a `Join` of the file gets: it differs
    from the key if an older version of the file was saved under another path.
    """
    found = []
    sources = facts.sources
    for path, name in paths.items():
        source = sources[path]
        for call in _join_calls(source):
            shape = ", ".join(_shape(argument) for argument in call.args)
            text = " ".join(source.lines[call.line - 1].split()) if call.line <= len(source.lines) else ""
            found.append(Join(name, facts.function_at(call), call.line, text, shape))
    return found


def lost(old: Sequence[Join], new: Sequence[Join]) -> list[Join]:
    """Return the join calls of `old` that are missing from `new`.

    A join call puts a socket into a room. A call that moved to another place in the code is not missing. If a function
    has a new call that joins another room, the room is assumed to be renamed, so the old call is not missing either.
    """
    unmatched = Counter((join.path, join.function, join.shape) for join in new)
    absent = []
    for join in old:
        place = (join.path, join.function, join.shape)
        if unmatched[place]:
            unmatched[place] -= 1
        else:
            absent.append(join)
    added_shapes: Counter[str] = Counter()
    added_places: Counter[tuple[str, str]] = Counter()
    for (path, function, shape), count in unmatched.items():
        added_shapes[shape] += count
        added_places[path, function] += count
    gone = []
    for join in absent:
        if added_shapes[join.shape]:
            added_shapes[join.shape] -= 1
        elif added_places[join.path, join.function]:
            # another name for the same room
            added_places[join.path, join.function] -= 1
        else:
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
    """Return a text that is the same for equal expressions.

    `node` is the expression. Its line and column are not part of the text.
    """
    words = [type(node).__name__]
    words += [repr(value) for name in ("name", "value", "op") if not isinstance(value := getattr(node, name, ""), Node)]
    return f"{' '.join(words)}({', '.join(_shape(child) for child in node.children())})"
