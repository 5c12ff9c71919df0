"""Records how the checked code uses its functions and collections. `lab.check.collect` fills these records."""

from dataclasses import dataclass, field

from lab.check.ir import Assign, Call, Index, Member, Node
from lab.check.places import Place
from lab.check.tags import Tag


@dataclass(frozen=True, slots=True)
class Content:
    """A value that the checked code puts into a collection.

    `key` is None if the value has no key. `write` is the call or assignment that puts the value into the collection.
    """

    key: Node | None
    value: Node
    write: Node

    @property
    def is_nested(self) -> bool:
        """Whether the value goes into an entry of the collection.

        Examples are `rooms[name].add(id)` and `rooms.get(name).add(id)`.
        """
        match self.write:
            case Call(func=Member(obj=obj)) | Assign(target=Member(obj=obj) | Index(obj=obj)):
                return isinstance(obj, Index | Call)
        return False

    @property
    def is_deep(self) -> bool:
        """Whether the value goes into a collection inside an entry.

        Examples are `rooms[name].players[id] = x` and `rooms.get(name).players.set(id, x)`.
        """
        match self.write:
            case Call(func=Member(obj=obj)) | Assign(target=Member(obj=obj) | Index(obj=obj)):
                return any(isinstance(part, Index | Call) for part in obj.walk())
        return False


@dataclass(slots=True, eq=False)
class Uses:
    """How the checked code uses its functions and collections.

    In the dictionaries about functions, the key is `id(function)`.
    """

    # tags of the parameters of a function that is registered as a handler, by position
    roles: dict[int, list[Tag]] = field(default_factory=dict)
    # calls of each function of the project
    callers: dict[int, list[Call]] = field(default_factory=dict)
    # functions that run for each element of a value, or (True) with what a promise gives
    each: dict[int, tuple[Node, bool]] = field(default_factory=dict)
    # arguments with which a function is started later, as a task or a thread
    later: dict[int, list[list[Node]]] = field(default_factory=dict)
    # objects and values of `object.name = value`, by name
    on_field: dict[str, list[tuple[Node, Node]]] = field(default_factory=dict)
    contents: dict[Place, list[Content]] = field(default_factory=dict)

    def of_place(self, place: Place | None) -> list[Content]:
        """Return the values that the code puts into the collection `place`. If `place` is None, the list is empty."""
        return self.contents.get(place, []) if place is not None else []
