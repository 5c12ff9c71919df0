"""Collects the rooms into which the checked code puts sockets."""

import re
from collections.abc import Iterator

from lab.check.facts import Facts
from lab.check.flow import variable_of
from lab.check.ir import Call, Const, Member, Node, Text
from lab.check.names import names_in
from lab.check.tags import Tag

# fields that hold a user's id
USER = re.compile(
    r"^(user|member|participant|driver|customer|recipient|receiver|owner|friend|sender)\w*?(_?id)?$", re.I
)
# functions that may join a room
JOIN = re.compile(r"join|enter|subscribe", re.I)


class KnownRooms:
    """The rooms that the checked code joins, or seems to join.

    A call seems to join a room if the called function has a name such as "enter".
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        rooms = ((facts.rooms.shape(room), room) for _, room in facts.rooms.joins)
        self._joined = [(shape, _is_user(facts, room)) for shape, room in rooms if shape]
        self._mentioned = set(_mentioned(facts))
        self._users_join = any(shape.startswith("user") for shape, _ in self._joined)

    def has(self, shape: str, room: Node) -> bool:
        """Tell whether any join call may put sockets into a room.

        `room` is the room to which some code emits. `shape` is the name of this room with `*` for the variable parts,
        such as `chat:*` for `chat:${id}`.
        """
        if shape != "*":
            beginning = shape.split("*")[0]
            if any(may_be_same(shape, other) for other, _ in self._joined):
                return True
            return any(text.startswith(beginning) or _begins(text, beginning) for text in self._mentioned)
        # a room without a fixed part is looked at only if it is a bare user id, and users have other rooms
        of_user = _is_user(self._facts, room)
        if not of_user or not self._users_join:
            return True
        return any(other == "*" and is_user for other, is_user in self._joined)


def _begins(text: str, beginning: str) -> bool:
    """Tell whether `beginning` is `text` with only separators after it.

    For example, `beginning` is `chat_` and `text` is `chat`. A helper may have built the room `chat_7` from `chat` and
    an id.
    """
    return text != "" and beginning.startswith(text) and not beginning.removeprefix(text).strip("_:-./")


def _mentioned(facts: Facts) -> Iterator[str]:
    """Yield the fixed beginning of each string argument of a join call.

    The fixed beginning of `chat:${id}` is `chat:`. A join call is any call of a function whose name contains "join",
    "enter" or "subscribe".
    """
    for _, call in facts.calls:
        args = call.args if JOIN.search(getattr(call.func, "name", "")) else []
        for part in (part for arg in args for part in facts.rooms.parts(arg)):
            shape = facts.rooms.shape(part)
            if shape and not shape.startswith("*"):
                yield shape.split("*")[0]


def _is_user(facts: Facts, room: Node) -> bool:
    """Tell whether a room's name is made from a user's id.

    This is judged by the names of variables and fields in the expression, such as `userId`.
    """
    found = facts.follow(room)
    while isinstance(found, Call) and isinstance(found.func, Member):
        found = found.func.obj
    names = list(names_in(found))
    return any(USER.search(name) for name in names)


def may_be_same(shape: str, other: str) -> bool:
    """Tell whether an emit and a join can mean the same room.

    `shape` is the name of the emit's room, and `other` the name of the room that is joined. In both names, `*` stands
    for a variable part: `chat:*`.
    """
    if shape == other:
        return True
    if "*" not in shape and "*" not in other:
        return False
    if other == "*" or shape == "*":
        return other == shape or (other == "*" and "*" not in shape)
    first, second = shape.split("*"), other.split("*")
    return (first[0].startswith(second[0]) or second[0].startswith(first[0])) and (
        first[-1].endswith(second[-1]) or second[-1].endswith(first[-1])
    )


def is_joined(facts: Facts, room: Node) -> bool:
    """Tell whether `room` is the room that a connection has joined.

    Then `room` has one variable part: a variable of the connect handler, or a field of the socket. A join uses the same
    name, or the value that is assigned to it. The rule RM081 looks for a permission check before this join.
    """
    form, part = _form(facts.follow(room))
    field = facts.follow(part)
    if isinstance(field, Member) and Tag.SOCKET in facts.values.of(field.obj):
        values = [value for _, value in facts.values.uses.on_field.get(field.name, [])]
    else:
        variable = variable_of(facts.project, part)
        owners = {id(handler.func) for handler in facts.handlers.all if handler.kind == "connect"}
        if variable is None or variable.param is not None or id(variable.owner) not in owners:
            return False
        values = [part, *(value for value, _ in variable.values)]
    joined = {_key(facts, name) for _, name in facts.rooms.joins} - {None}
    return any(_key(facts, value, form) in joined for value in values)


def _form(name: Node) -> tuple[str, Node]:
    """Return the form of a room's name and its variable part.

    For `chat:${id}` these are "chat:*" and `id`. A name with several variable parts, or without one, is taken as a
    whole: its form is "*".
    """
    parts = name.parts if isinstance(name, Text) else []
    variable = [part for part in parts if not isinstance(part, Const)]
    if len(variable) != 1:
        return "*", name
    return "".join(str(part.value) if isinstance(part, Const) else "*" for part in parts), variable[0]


def _key(facts: Facts, value: Node, around: str = "*") -> tuple[str, int] | None:
    """Return the form and the variable of a room's name.

    Two names with the same result mean the same room. The result is None for a name without a variable. `around` is the
    form of a name that has `value` as its variable part.
    """
    form, part = _form(facts.follow(value))
    variable = variable_of(facts.project, value if form == "*" else part)
    return (around.replace("*", form), id(variable)) if variable is not None else None
