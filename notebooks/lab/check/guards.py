"""Finds the permission checks that come before a join or an emit.

An example is `if (!isMember(user, room)) return`. It keeps users out of rooms that they may not use.
"""

import re
from collections.abc import Iterator

from lab.check.facts import Facts
from lab.check.ir import Assign, Await, Block, Call, Func, If, Index, Loop, Member, Name, Node, Op, Return, Throw, Try
from lab.check.look_ups import looks_up, uses_record
from lab.check.names import last_name, names_in
from lab.check.rights import asserts, is_about_others, leaves, names_a_right
from lab.check.scopes import enclosing
from lab.check.tags import CLAIMED

# guards of Nest that only verify who the user is
AUTHENTICATES = re.compile(r"jwt|auth(?!or)|token|session|logged", re.I)
# calls that are followed upwards from a helper
STEPS = 2


def before(node: Node, top: Func | None) -> Iterator[tuple[Node, bool]]:
    """Yield the statements and conditions that run before the code `node`.

    Only the function `top`, which contains `node`, and the conditions around `top` are searched. Each result is a pair.
    Its second part is False for an earlier statement. It is True for a condition around `node` or `top`, and for the
    collection of a loop around `node`.
    """
    below, above = node, node.parent
    while above is not None:
        if isinstance(above, If) and below is not above.test:
            yield above.test, True
        if isinstance(above, Loop) and below is not above.iterable:
            yield above.iterable, True
        if isinstance(above, Op) and above.op in ("&&", "?:") and above.operands and above.operands[0] is not below:
            yield above.operands[0], True
        for statements in _lists(above):
            if below in statements:
                yield from ((statement, False) for statement in statements[: statements.index(below)])
        if above is top:
            break
        below, above = above, above.parent
    # a handler that is registered under a condition
    for outer in enclosing(top, If) if top is not None else ():
        if isinstance(outer, If) and not any(top is part for branch in outer.orelse for part in branch.walk()):
            yield outer.test, True


def _lists(node: Node) -> Iterator[list[Node]]:
    match node:
        case Func(body=body) | Loop(body=body) | Block(body=body):
            yield body
        case If():
            yield node.body
            yield node.orelse
        case Try():
            yield node.body
            yield node.handlers
            yield node.final


def is_guarded(
    facts: Facts, node: Node, named: Node, steps: int = STEPS, *, is_open: bool = False, strict: bool = False
) -> bool:
    """Tell whether code checks the user's permission before a join or emit.

    An example is a check that the user is a member of the room. `node` is the join or emit, and `named` is its room,
    which a client chose. The result is also True if the client can choose only from a server-side list, or only a new
    room. `steps` is how many levels of callers are searched for the check. In an app without accounts (`is_open`), a
    check that the room exists is enough. If `strict` is True, it is not enough to check that the socket is in a
    collection of all connections.
    """
    func = facts.handler_function(node)
    if func is not None and any(_protects(facts, mark) for mark in func.decorators):
        return True
    earlier = list(before(node, func))
    asked = {
        name
        for step, around in earlier
        if around or (isinstance(step, If) and leaves(step))
        for name in names_in(step.test if isinstance(step, If) else step)
    }
    if any(_checks(facts, step, asked, around=around, strict=strict) for step, around in earlier):
        return True
    if is_listed(facts, named) or any(_is_new(facts, step, named) for step, _ in earlier):
        return True
    if is_open and any(_finds(facts, step, named, around=around) for step, around in earlier):
        return True
    return _is_guarded_at_calls(facts, func, steps, is_open=is_open, strict=strict)


def _is_guarded_at_calls(facts: Facts, func: Func | None, steps: int, *, is_open: bool, strict: bool) -> bool:
    """Tell whether the user's permission is checked before each call of `func`.

    `func` is a helper that joins or emits. Only calls that pass a value from a client are looked at, and there must be
    one. The other parameters have the same meaning as in `is_guarded`.
    """
    if func is None or not steps or facts.is_handler(func):
        return False
    calls = [
        call
        for call in facts.values.uses.callers.get(id(func), [])
        if any(facts.values.of(arg) & CLAIMED for arg in (*call.args, *(value for _, value in call.keywords)))
    ]
    return bool(calls) and all(
        is_guarded(facts, call, call, steps - 1, is_open=is_open, strict=strict) for call in calls
    )


def _finds(facts: Facts, step: Node, named: Node, *, around: bool) -> bool:
    """Tell whether `step` checks that the room `named` exists.

    If `around` is True, `step` is a condition around the join or emit. Otherwise `step` is an earlier statement, and
    only an `if` that can end the handler counts.
    """
    if not around and (not isinstance(step, If) or not leaves(step)):
        return False
    wanted = set(names_in(named))
    for part in (step.test if isinstance(step, If) else step).walk():
        made = facts.made(part)
        looked_up = _is_look_up(facts, made) or (isinstance(made, Op) and made.op in ("in", "not in"))
        if looked_up and wanted & set(names_in(made)):
            return True
    return False


def _is_look_up(facts: Facts, node: Node) -> bool:
    """Tell whether `node` looks something up on the server.

    Examples are `rooms.get(name)` and `rooms[name]`. Reading something from the client's payload is no look-up.
    """
    match node:
        case Call(func=Member(obj=obj)) | Index(obj=obj):
            return not facts.values.of(obj) & CLAIMED
    return isinstance(node, Call)


def _is_new(facts: Facts, step: Node, named: Node) -> bool:
    """Tell whether `step` stops the handler if the room `named` exists.

    An example is `if (rooms.has(name)) return;`. After this statement, the client can only create a new room.
    """
    if not isinstance(step, If) or not leaves(step) or step.orelse:
        return False
    test = step.test.value if isinstance(step.test, Await) else step.test
    looks = _is_look_up(facts, test) or (isinstance(test, Op) and test.op == "in")
    found = test.func.name if isinstance(test, Call) and isinstance(test.func, Member) else "get"
    return looks and found in ("get", "has", "exists") and bool(set(names_in(named)) & set(names_in(test)))


def is_listed(facts: Facts, named: Node) -> bool:
    """Tell whether `named` is always a room from a server-side list.

    That is so if a filter removes all other rooms. An example is
    `for (const room of wanted.filter((name) => name in ROOMS))`, where `named` is `room`.
    """
    source = facts.element_source(named) if isinstance(named, Name) else None
    for part in facts.follow(source).walk() if source is not None else ():
        match facts.follow(part) if isinstance(part, Name) else part:
            case Call(func=Member(name="filter"), args=[Func() as check, *_]):
                return any(_asks_for_entry(facts, node) for node in check.parts())
    return False


def _asks_for_entry(facts: Facts, node: Node) -> bool:
    match node:
        case (
            Call(func=Member(obj=rooms, name="has" | "includes"), args=[_])
            | Call(func=Member(name="hasOwn"), args=[rooms, _])
            | Op(op="in", operands=[_, rooms])
        ):
            return not facts.values.of(rooms) & CLAIMED
    return False


def _protects(facts: Facts, mark: Node) -> bool:
    """Tell whether the decorator `mark` checks the user's permission.

    An example is `@UseGuards(MemberGuard)`. The result is False if `mark` only registers a handler, or only verifies
    the user.
    """
    if _registers(mark):
        return False
    if last_name(mark) == "UseGuards" and isinstance(mark, Call):
        return any(not AUTHENTICATES.search(name) for arg in mark.args for name in names_in(arg))
    return names_a_right(facts, mark)


def _registers(decorator: Node) -> bool:
    """Tell whether a decorator only registers a handler.

    An example is `@sio.on("invite_member")`. Its words are an event's name, and say nothing about permissions.
    """
    return last_name(decorator) in ("on", "event", "on_event", "SubscribeMessage")


def _always_run(step: Node) -> Iterator[Node]:
    """Yield the parts of `step`, except the code inside an `if`.

    The condition of the `if` is yielded. The bodies of functions inside `step` are left out.
    """
    waiting = [step]
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case If(test=test):
                waiting.append(test)
            case Func():
                pass
            case _:
                waiting.extend(node.children())


def _refuses(facts: Facts, step: If, *, strict: bool) -> bool:
    if not leaves(step) or is_about_others(facts, step.test):
        return False
    return names_a_right(facts, step.test, strict=strict, around=False) or uses_record(facts, step.test, around=False)


def _only_ends_loop(part: If, step: Node, asked: set[str]) -> bool:
    """Tell whether the `if` statement `part` only ends a loop around it.

    Then the code after the loop still runs, so `part` is no permission check. The loop is in the statement `step`. The
    result is False if `part` contains `return` or `throw`, or if it sets a variable whose name is in `asked`: another
    condition reads this variable.
    """
    if not any(isinstance(above, Loop) and _is_below(above, step) for above in enclosing(part, Loop)):
        return False
    inner = list(part.walk())
    if any(isinstance(node, Return | Throw) for node in inner):
        return False
    return not any(
        isinstance(node, Assign) and isinstance(node.target, Name) and node.target.name in asked for node in inner
    )


def _is_below(node: Node | None, top: Node) -> bool:
    while node is not None and node is not top:
        node = node.parent
    return node is top


def _checks(facts: Facts, step: Node, asked: set[str], *, around: bool, strict: bool) -> bool:
    """Tell whether `step` checks the user's permission, such as room membership.

    If `around`, `step` is a condition around the join or emit. Otherwise `step` is an earlier statement. `asked` has
    the names in the conditions around the join or emit, and in each earlier `if` that can end the handler. `strict` has
    the same meaning as in `is_guarded`.
    """
    if around:
        named = names_a_right(facts, step, strict=strict, around=True)
        return named or uses_record(facts, step, around=True) or looks_up(facts, step)
    for part in _always_run(step):
        if isinstance(part, If) and _refuses(facts, part, strict=strict) and not _only_ends_loop(part, step, asked):
            return True
        if isinstance(part, Call) and (asserts(facts, part) or looks_up(facts, part)):
            return True
    return False
