"""Finds the rooms that calls join or send to.

It also finds the shape of a room's name: the name with `*` in place of each variable part, such as `user:*`.
"""

from functools import cached_property

from lab.check.actions import Actions, Emit, Move
from lab.check.flow import follow, returned
from lab.check.ir import Await, Call, Const, Index, Member, Name, Node, Op, Spread, Text
from lab.check.ir import Sequence as ListOf
from lab.check.places import as_function, place_of
from lab.check.project import Project
from lab.check.tags import PLAIN
from lab.check.uses import Uses

# lists inside lists that are taken apart
DEEPEST_LIST = 4


class Rooms:
    """The rooms that calls in the checked code join or send to."""

    def __init__(self, project: Project, uses: Uses, actions: Actions) -> None:
        self._project = project
        self._uses = uses
        self._actions = actions

    @cached_property
    def joins(self) -> list[tuple[Move, Node]]:
        """Pairs of a call that joins rooms, and one of its rooms.

        A join of a list of rooms gives a pair for each element of the list.
        """
        return [(move, part) for move in self._actions.joins for room in move.rooms for part in self.parts(room)]

    @cached_property
    def emits(self) -> list[tuple[Emit, Node]]:
        """Pairs of a call that emits, and one of its rooms.

        An emit to several rooms gives a pair for each of them; an emit without rooms gives no pair.
        """
        return [(emit, part) for emit in self._actions.emits for room in emit.rooms for part in self.parts(room)]

    def shape(self, room: Node) -> str | None:
        """Return a room's name with `*` in place of each variable part.

        Examples are "user:*" and "*". The result is None if nothing is known of the name.
        """
        found = follow(self._project, room)
        match found:
            case Const(value=str(text)):
                return text
            case Text():
                return "".join(str(part.value) if isinstance(part, Const) else "*" for part in found.parts)
            case Member() | Index() | Name():
                meant = self._project.meaning(found)
                return self.shape(meant) if isinstance(meant, (Const, Text)) else "*"
            case Call(func=Member(name=name)) if PLAIN.match(name):
                return "*"
            case Call():
                shapes = {self.shape(value) for func in self._project.callees(found) for value in returned(func)}
                return shapes.pop() if len(shapes) == 1 else None
        return None

    def parts(self, room: Node, steps: int = DEEPEST_LIST) -> list[Node]:
        """Return the syntax tree nodes of the rooms in an expression.

        If `room` is a list, the result has the elements of the list. Otherwise it has only `room`. The list can be a
        literal, the result of `map`, or a collection that the code fills. Lists inside a list are opened, too, down
        to `steps` levels.
        """
        found = follow(self._project, room)
        if isinstance(found, Await | Spread):
            found = found.value
        items = self._items(found)
        if isinstance(room, Name) and (items or isinstance(found, ListOf)):
            place = place_of(self._project, room)
            items = items + [content.value for content in self._uses.of_place(place)]
        if not items or not steps:
            return [room]
        return [part for item in items for part in self.parts(item, steps - 1)]

    def _items(self, found: Node) -> list[Node]:
        match found:
            case ListOf(items=items):
                return items
            # `room || []`
            case Op(op="||" | "??", operands=operands):
                return [part for part in operands if not (isinstance(part, ListOf) and not part.items)]
            case Call(func=Member(name="map"), args=[mapped, *_]):
                func = as_function(self._project, mapped)
                return returned(func) if func is not None else []
        return []
