"""Recognises comparisons that only look like permission checks.

An example is `if (seenBy.includes(user.id)) return`, which does not check what the user may do.
"""

import re

from lab.check.facts import Facts
from lab.check.ir import Call, If, Member, Node, Op
from lab.check.tags import CLAIMED, Tag

# fields that only those know who may enter
SECRETS = re.compile(r"pass|code|pin|secret|token|key|hash|otp", re.I)


def is_reversed(part: Node, test: Node, *, around: bool | None) -> bool:
    """Tell whether code runs only for values outside a collection.

    Examples are `if (!seenBy.includes(user.id)) send()` and `if (seenBy.includes(user.id)) return; send()`. Here,
    `send()` runs only for users who are not in `seenBy`, so this is no check that a user is a member. `test` is the
    condition, and `part` is the expression in `test` that searches the collection. `around` is True if `send()` is
    inside the `if`, and False if the `if` ends the function before `send()`. If `around` is None, neither is known, and
    the result is False. The result is also False if the `if` has an `else`.
    """
    match part:
        case Op(op="in" | "not in"):
            is_inside = part.op == "in"
        case Call(func=Member(name="has" | "includes")):
            is_inside = True
        case _:
            return False
    if around is None or (isinstance(test.parent, If) and test.parent.orelse):
        return False
    node: Node | None = part
    while node is not None and node is not test:
        node = node.parent
        if isinstance(node, Op) and node.op == "!":
            is_inside = not is_inside
    return is_inside != around


def is_claim(facts: Facts, part: Member) -> bool:
    """Tell whether the field `part` is compared only with client data.

    An example is `room.number` in `room.number == data.number`. Such a comparison proves nothing, as the client may
    know the value of the field. For a secret, such as a password, the result is False.
    """
    above = part.parent
    if not isinstance(above, Op) or above.op not in ("==", "!=") or SECRETS.search(part.name):
        return False
    others = [facts.values.of(other) for other in above.operands if other is not part]
    return all(tags & CLAIMED and not tags & (Tag.USER | Tag.SID) for tags in others)
