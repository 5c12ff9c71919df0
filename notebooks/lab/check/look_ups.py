"""Finds look-ups that check permissions, such as `findMember(room, user.id)`."""

import re

from lab.check.comparisons import is_claim, is_reversed
from lab.check.databases import DATABASE_WRITES, is_database_write
from lab.check.facts import Facts
from lab.check.ir import Await, Call, Member, Name, Node
from lab.check.names import names_in
from lab.check.tags import CLAIMED, FORMS, Tag

# names of functions that look something up, and may refuse
LOOK_UPS = re.compile(
    r"^(find|get|load|fetch|query|count|select|one|exists"
    r"|check|verify|ensure|assert|validate|require|is|has|can"
    r"|join|enter|add_?(user|member|participant|player))",
    re.I,
)
# names of functions that only write or send
WRITES = re.compile(
    r"^(emit|send_?to|broadcast|publish|push|notify|log|create|save|insert|store|record|persist|set|del|incr)", re.I
)
TOKEN = re.compile("token|cookie|authorization", re.I)


def uses_record(facts: Facts, test: Node, *, around: bool | None = None) -> bool:
    """Tell whether a condition uses a field of a looked-up record.

    An example is `if (!room.isOpen) return` after `const room = findRoom(data.id)`, where the client sent `data`. Such
    a condition checks more than the existence of the record. `around` is True if `test` is a condition around the code
    that it protects, False if `test` ends the function before that code, and None if this is not known.
    """
    for part in test.walk():
        if isinstance(part, Member) and isinstance(part.obj, Name) and part.name not in ("length", "size"):
            above = part.parent.parent if isinstance(part.parent, Member) else part.parent
            if is_claim(facts, part) or (above is not None and is_reversed(above, test, around=around)):
                continue
            made = facts.made(part.obj)
            if (
                isinstance(made, Call)
                and not FORMS.search(getattr(made.func, "name", ""))
                and any(facts.values.of(arg) & CLAIMED or _has_client(facts, arg) for arg in _arguments(made))
            ):
                return True
    return False


def _arguments(call: Node) -> list[Node]:
    """Return the arguments of all calls in a chain.

    For `Rooms.findById(id).populate("members")` they are `"members"` and `id`.
    """
    found: list[Node] = []
    while isinstance(call, Call):
        found += call.args
        call = call.func.obj if isinstance(call.func, Member) else call.func
    return found


def _has_client(facts: Facts, arg: Node) -> bool:
    return any(facts.is_client(part) for part in arg.walk() if isinstance(part, (Name, Member)))


def looks_up(facts: Facts, node: Node) -> bool:
    """Tell whether an expression looks something up for the verified user.

    An example is `findMember(data.room, user.id)`. The checker counts this as a permission check. The result is True if
    one call that can refuse the client has two kinds of arguments: a value from the client, and the verified user or
    the token of the handshake.
    """
    for part in node.walk():
        if not isinstance(part, Call) or not _may_refuse(facts, part):
            continue
        given = [*part.args, *(value for _, value in part.keywords)]
        tags = Tag.NONE
        for arg in given:
            for inner in arg.walk():
                if isinstance(inner, (Name, Member, Call)):
                    tags |= facts.values.of(inner)
        if tags & CLAIMED and (Tag.USER in tags or _passes_token(facts, given)):
            return True
    return False


def _may_refuse(facts: Facts, call: Call) -> bool:
    """Tell whether a call can check permissions and refuse the client.

    The call can do so if the function has a name such as `findMember` or `checkRoom`. A method that is called with
    `await` and does not write or send anything can do so, too.
    """
    name = getattr(call.func, "name", "")
    if LOOK_UPS.match(name) and not DATABASE_WRITES.match(name):
        return True
    waited = isinstance(call.parent, Await) and isinstance(call.func, Member)
    return waited and not WRITES.match(name) and not is_database_write(facts, call)


def _passes_token(facts: Facts, given: list[Node]) -> bool:
    """Tell whether a call gets the token of the handshake.

    The checker assumes that the called function verifies the token. `given` has the arguments of the call.
    """
    return any(
        Tag.HANDSHAKE in facts.values.of(arg) and any(TOKEN.search(name) for name in names_in(arg)) for arg in given
    )
