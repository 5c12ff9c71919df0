"""Recognises comparisons that only look like permission checks.

Such a comparison does not check whether a client has a right, such as membership in a room.
"""

import re

from lab.check.facts import Facts
from lab.check.ir import Call, If, Member, Node, Op
from lab.check.tags import CLAIMED, Tag

# fields that only those know who may enter
SECRETS = re.compile(r"pass|code|pin|secret|token|key|hash|otp", re.I)


def is_reversed(part: Node, test: Node, *, around: bool | None) -> bool:
    """Tell whether a condition lets only values outside a collection pass.

    Examples are `if (!seenBy.includes(user.id)) send()` and `if (seenBy.includes(user.id)) return`. Such a condition is
    no membership check. `part` is the expression inside the condition `test` that searches the collection. `around` is
    True if the condition is around the protected code (here `send()`), and False if the condition ends the function
    before that code. If `around` is None, neither is known, and the result is False.
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

    Such a comparison proves nothing, as the client may know the value of the field. For a secret, such as a password,
    the result is False.
    """
    above = part.parent
    if not isinstance(above, Op) or above.op not in ("==", "!=") or SECRETS.search(part.name):
        return False
    others = [facts.values.of(other) for other in above.operands if other is not part]
    return all(tags & CLAIMED and not tags & (Tag.USER | Tag.SID) for tags in others)
