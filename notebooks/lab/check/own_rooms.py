"""Recognises rooms that belong to one user."""

import re

from lab.check.facts import Facts
from lab.check.flow import variable_of
from lab.check.ir import Await, Call, Const, Index, Member, Name, Node, Text
from lab.check.names import names_in
from lab.check.tags import CLAIMED, Tag

# names of what belongs to one user: userId, driver_id, me
OWN = re.compile(
    r"^(user|uid|me|self|member|account|profile|owner|driver|captain|customer|rider|employee|agent|seller)s?"
    r"_?(id|data|name|info)?$",
    re.I,
)
# names of what several users share
THINGS = re.compile(r"room|group|channel|conversation|chat|order|game|ride|match|topic|project|doc", re.I)
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


def is_shared_room(facts: Facts, room: Node) -> bool:
    """Tell whether a room has the name of what several users share.

    An example is `conversationId`.
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
