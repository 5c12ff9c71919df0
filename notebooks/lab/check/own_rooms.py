"""Recognises rooms that belong to one user."""

import re
from typing import NamedTuple

from lab.check.facts import Facts
from lab.check.flow import variable_of
from lab.check.ir import Await, Call, Const, Func, If, Index, Member, Name, Node, Text
from lab.check.names import last_name, names_in
from lab.check.scopes import enclosing
from lab.check.tags import CLAIMED, PLAIN, Tag

# names of what belongs to one user: userId, driver_id, me
OWN = re.compile(
    r"^(user|uid|me|self|member|account|profile|owner|driver|captain|customer|rider|employee|agent|seller)s?"
    r"_?(id|data|name|info)?$",
    re.I,
)
# names of what several users share
THINGS = re.compile(r"room|group|channel|conversation|chat|order|game|ride(?!r)|match|topic|project|doc", re.I)
# keys under which a user's id stands
ID_KEY = re.compile(r"_?id|sub|uid", re.I)
# what else a test may name that only asks whether there is a user
PLAIN_TEST = re.compile(r"socket|client|data|request|undefined|null|_?id|sub")
# fields, calls and variables that are followed from a room to where it comes from
LONGEST_CHAIN = 12


def is_own_room(facts: Facts, room: Node) -> bool:
    """Tell whether a room belongs to one user.

    That is so if the room's name is made from a user id, such as `user.id`, or if the name was looked up with the
    verified identity of the client.
    """
    found = facts.follow(room)
    if Tag.USER in facts.values.of(room) or _is_of_user(facts, found):
        return True
    names = list(names_in(found))
    return not any(THINGS.search(name) for name in names) and any(OWN.match(name) for name in names)


class JoinedRoom(NamedTuple):
    """The room that each of a user's connections joins.

    `shape` is its name with `*` in place of the user, such as "user:*". `path` and `line` are the place of the join.
    """

    shape: str
    path: str
    line: int


def joined_room(facts: Facts) -> JoinedRoom | None:
    """Return the user's own room that each connection joins, or None.

    The result is also None if connections join several such rooms.
    """
    found = {
        shape: JoinedRoom(shape, move.module.path, move.node.line)
        for move, room in facts.rooms.joins
        if move.own and facts.always(move.node, "connect", "middleware") and _is_always_run(facts, move.node)
        if not facts.is_named_by_client(room) and is_named_for_user(facts, room)
        if (shape := facts.rooms.shape(room)) and shape.count("*") == 1
    }
    return found.popitem()[1] if len(found) == 1 else None


def _is_always_run(facts: Facts, node: Node) -> bool:
    """Tell whether a handler runs `node` for each connection.

    The result is True also if `node` is inside an `if` that only tests whether there is a user, such as `if (user)`.
    """
    for around in enclosing(node, If, Func):
        if around is facts.handler_function(node):
            break
        if isinstance(around, If) and not all(
            OWN.match(name) or PLAIN_TEST.fullmatch(name) for name in names_in(around.test)
        ):
            return False
    return True


def is_named_for_user(facts: Facts, room: Node) -> bool:
    """Tell whether a room's name has one variable part, the user.

    Examples are `userId`, `user:${user.id}` and `userRoom(user.id)`. A name with several variable parts, as in
    `${userId}-${friendId}`, gives False.
    """
    found = _without_plain(facts, room)
    parts = found.parts if isinstance(found, Text) else found.args if isinstance(found, Call) else [found]
    match [_without_plain(facts, part) for part in parts if not isinstance(part, Const)]:
        case [Name(name=name)]:
            return bool(OWN.match(name))
        case [Member(obj=obj, name=name)]:
            is_user = OWN.match(last_name(obj)) or Tag.USER in facts.values.of(obj)
            return bool(OWN.match(name) or (ID_KEY.fullmatch(name) and is_user))
    return False


def _without_plain(facts: Facts, expr: Node) -> Node:
    """Return the value of `expr`, without a call such as `toString()`.

    For `room` after `const room = user.id.toString()`, the result is `user.id`.
    """
    found = facts.follow(expr)
    match found:
        case Call(func=Member(obj=obj, name=name), args=[]) if PLAIN.match(name):
            return facts.follow(obj)
    return found


def is_shared_room(facts: Facts, room: Node) -> bool:
    """Tell whether a room is named after something that users share.

    An example is the room in the variable `conversationId`.
    """
    return any(THINGS.search(name) for name in names_in(facts.follow(room)))


def _is_of_user(facts: Facts, found: Node) -> bool:
    """Tell whether `found` was looked up with the client's verified identity.

    An example is `profile.id` after `const profile = await load(socket.data.user.id)`.
    """
    for _ in range(LONGEST_CHAIN):
        match found:
            case Member(obj=obj) | Index(obj=obj) | Call(func=Member(obj=obj)):
                found = obj
            case Await(value=Call(args=args)):
                tags = [facts.values.of(arg) for arg in args]
                return any(Tag.USER in tag for tag in tags) and not any(
                    tag & CLAIMED for tag in tags if Tag.USER not in tag
                )
            case Call(func=Name(), args=[_, *_] as args):
                return all(Tag.USER in facts.values.of(arg) for arg in args)
            case Text(parts=parts):
                return any(_is_of_user(facts, part) for part in parts if not isinstance(part, Const))
            case Name():
                source = facts.element_source(found)
                following = source if source is not None else _made_of(facts, found)
                if following is found:
                    return False
                found = following
            case _:
                return False
    return False


def _made_of(facts: Facts, name: Name) -> Node:
    """Return the expression that is assigned to the variable `name`.

    The variable can hold only a part of the expression, as in `const { data } = await load(user)`. If the variable is
    a parameter, or does not have exactly one assignment, the result is `name`.
    """
    variable = variable_of(facts.project, name)
    if variable is None or variable.param is not None or len(variable.values) != 1:
        return name
    return variable.values[0][0]
