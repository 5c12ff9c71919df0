"""Finds conditions and calls that check permissions, such as room membership."""

import re
from typing import Any

from lab.check.comparisons import is_reversed
from lab.check.facts import Facts
from lab.check.flow import returned
from lab.check.ir import Assign, Await, Call, Const, Func, If, Index, Member, Name, Node, Op, Return, This, Throw
from lab.check.names import LONGEST_WORD
from lab.check.tags import CLAIMED, Tag

# names of rights, and of what a right follows from
RIGHTS = re.compile(
    # may join, can read, own rooms
    r"^may[A-Z_]|^can[A-Z_]|^own[A-Z_]|is_?in[A-Z_]|(?i:"
    # who is in a room
    r"member|participant|belong|friend|subscri|enrol|assign|collaborat|_in_room|inRoom|has(Room|Joined|User)"
    # whose room it is
    r"|owner|creator|author|organi[sz]er|moderator|hostId|isHost"
    # what is granted
    r"|permission|permit|allow|access|authori[sz]|role|admin|entitl|invit|privilege|policy|eligible|restrict|guard|acl$"
    # what is refused
    r"|banned|blocked|muted|forbid|password"
    # whether the client is a user at all
    r"|check_?login|logged_?in|isValidRoom)"
)
# names of functions that check by themselves, if they name a right, too
CHECKS = re.compile(r"(check|assert|ensure|verify|require|authorize|validate|can|is|has|get|find)", re.I)


def names_a_right(
    facts: Facts, node: Node, steps: int = 2, *, strict: bool = False, around: bool | None = None
) -> bool:
    """Tell whether an expression looks like a permission check.

    Examples are `canJoin`, `room.members` and `order.userId == user.id`. A value that comes only from the client, such
    as `data.isAdmin`, does not count. If `node` uses a variable or calls a function, the assigned condition or the
    returned expression is searched, too, for at most `steps` levels. If `strict` is True, it is not enough to check
    that the socket is in a collection of all connections. `around` is True if `node` is a condition around the code
    that it protects, False if the condition ends the function before that code, and None if this is not known.
    """
    for part in node.walk():
        if isinstance(part, Name | Member) and RIGHTS.search(part.name):
            tags = facts.values.of(part)
            if not tags & CLAIMED or tags & Tag.USER:
                return True
        elif (
            _is_word_of_a_right(facts, part)
            or (_looks_for_itself(facts, part, strict=strict) and not is_reversed(part, node, around=around))
            or (isinstance(part, Call) and steps and _returns_a_right(facts, part, steps - 1))
        ):
            return True
        # a condition that has a name: `const isCook = order.cookId === user.id`
        made = facts.follow(part) if isinstance(part, Name) and steps else part
        if made is not part and isinstance(made, Op) and names_a_right(facts, made, steps - 1, strict=strict):
            return True
    return False


def _returns_a_right(facts: Facts, call: Call, steps: int) -> bool:
    """Tell whether a called function checks the user's permission.

    That is so if `call` passes a value that the client sent, and the function returns an expression that looks like a
    permission check, such as `isMember(id)`. At most `steps` calls and variables in this expression are followed.
    """
    if not any(facts.values.of(arg) & CLAIMED for arg in call.args):
        return False
    results = (value for func in facts.project.callees(call) for value in returned(func))
    return any(isinstance(value, Op | Call) and names_a_right(facts, value, steps) for value in results)


def _is_word_of_a_right(facts: Facts, part: Node) -> bool:
    """Tell whether `part` is a string about permissions, such as "admin".

    A string that is compared with a value from the client, as in `data.role == "admin"`, does not count.
    """
    if not isinstance(part, Const) or not isinstance(part.value, str) or not RIGHTS.search(part.value[:LONGEST_WORD]):
        return False
    others = part.parent.operands if isinstance(part.parent, Op) else []
    return not any(facts.values.of(other) & CLAIMED for other in others)


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Const) and node.value in (None, True, False, "")


def _looks_for_itself(facts: Facts, part: Node, *, strict: bool) -> bool:
    """Tell whether a condition is about the handler's own socket or user.

    Examples are `sid in room` and `order.userId == user.id`. If `strict` is True, a search for the socket in a
    collection of all connections does not count.
    """
    match part:
        case Op(op="==" | "!=", operands=operands):
            tags = [facts.values.of(operand) for operand in operands]
            return any(tag & (Tag.SID | Tag.USER) for tag in tags) and not any(_is_nothing(part) for part in operands)
        case (
            Op(op="in" | "not in", operands=[first, rooms])
            | Call(func=Member(obj=rooms, name="has" | "includes"), args=[first])
        ) if strict and Tag.SID in facts.values.of(first) and _is_register(facts, rooms):
            # that the client has logged in says nothing about the room
            return False
        case Op(op="in" | "not in", operands=[first, rooms]):
            own = facts.values.of(first) & (Tag.SID | Tag.USER) or Tag.USER in facts.values.of(rooms)
            return bool(own) or facts.is_own_rooms(facts.made(rooms))
        case Call(func=Member(obj=Member(obj=socket, name="rooms"), name="has")):
            return bool(facts.values.of(socket) & (Tag.SOCKET | Tag.USER))
        case Call(func=Member(obj=rooms, name="has" | "includes"), args=[first]):
            return bool(facts.values.of(first) & (Tag.SID | Tag.USER)) or Tag.USER in facts.values.of(rooms)
    return False


def _is_register(facts: Facts, rooms: Node) -> bool:
    """Tell whether the collection `rooms` holds all connections, not one room's.

    An example is a global `users`, but not `rooms[id]`. Such a collection does not say who may enter a room.
    """
    found = facts.made(rooms)
    whole = isinstance(rooms, Name) or (isinstance(rooms, Member) and isinstance(rooms.obj, This))
    is_part = isinstance(found, Index | Op) or (isinstance(found, Call) and isinstance(found.func, Member))
    return whole and not is_part and facts.keeps(rooms)


def is_about_others(facts: Facts, test: Node) -> bool:
    """Tell whether a condition compares received data with the client's own id.

    An example is `if (data.user === user.id) return`. The code after this line runs only when the data names another
    user.
    """
    match test:
        case Op(op="==", operands=[first, second]):
            tags = [facts.values.of(first), facts.values.of(second)]
            own = [bool(tag & (Tag.USER | Tag.SID)) for tag in tags]
            named = [bool(tag & CLAIMED) and not mine for tag, mine in zip(tags, own, strict=True)]
            return any(own) and any(named)
    return False


def leaves(node: Node) -> bool:
    """Tell whether a statement may end its function or loop iteration.

    That is so if it contains `return`, `throw` (in Python `raise`), `continue` or `break`.
    """
    return any(
        isinstance(part, (Return, Throw)) or getattr(part, "kind", "") in ("continue", "break") for part in node.walk()
    )


def asserts(facts: Facts, call: Call) -> bool:
    """Tell whether a called function itself checks the user's permission.

    Then the calling code needs no condition. That is so if the function has a name such as `assertMember`, or contains
    an `if` that looks like a permission check and may raise an error. A `return` counts only if the caller uses the
    result.
    """
    name = getattr(call.func, "name", "")
    if RIGHTS.search(name) and CHECKS.match(name):
        return True
    ends = Throw | Return if _is_used(call) else Throw
    return any(_refuses(facts, func, ends) for func in facts.project.callees(call))


def _is_used(call: Call) -> bool:
    """Tell whether the result of a call, perhaps awaited, is used."""
    node = call.parent if isinstance(call.parent, Await) else call
    return isinstance(node.parent, Assign | Return | Op | If | Member | Call)


def _refuses(facts: Facts, func: Func, ends: Any) -> bool:
    parts = [part for statement in func.body for part in statement.walk()]
    checks = [part for part in parts if isinstance(part, If) and names_a_right(facts, part.test)]
    return any(isinstance(part, ends) for check in checks for part in check.walk())
