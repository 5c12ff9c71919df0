"""Checks before a join or an emit: whether code looks at a right before it acts."""

import re
from collections.abc import Iterator

from lab.check.facts import Facts, returned
from lab.check.ir import (
    Assign,
    Await,
    Block,
    Call,
    Const,
    Func,
    If,
    Index,
    Loop,
    Member,
    Name,
    Node,
    Op,
    Return,
    Throw,
    Try,
)
from lab.check.scopes import class_of, enclosing, function_of
from lab.check.stores import DATABASE_WRITES, is_database_write
from lab.check.tags import CLAIMED, FORMS, Tag

RIGHTS = re.compile(
    r"^may[A-Z_]|member|participant|permission|permit|allow|access|authori[sz]|role|owner|admin|belong|^can[A-Z_]|^own[A-Z_]|is_?in[A-Z_]|"
    r"banned|password|invit|entitl|friend|subscri|enrol|assign|creator|author|guard|policy|eligible|forbid|privilege|"
    r"acl$|_in_room|inRoom|isValidRoom|has(Room|Joined|User)|hostId|isHost|collaborat|check_?login|logged_?in",
)
LOOK_UPS = re.compile(
    r"^(find|get|load|check|verify|ensure|assert|is|has|can|fetch|query|count|exists|select|validate|one|require|join|enter|add_?(user|member|participant|player))",
    re.I,
)
WRITES = re.compile(
    r"^(emit|send_?to|log|create|save|insert|store|record|persist|notify|push|publish|set|del|incr|broadcast)", re.I
)


def names_in(node: Node) -> Iterator[str]:
    """Yield all names and short strings in an expression."""
    for part in node.walk():
        if isinstance(part, (Name, Member)):
            yield part.name
        elif isinstance(part, Const) and isinstance(part.value, str) and len(part.value) < 30:
            yield part.value


def names_a_right(facts: Facts, node: Node, steps: int = 2) -> bool:
    """Tell whether an expression mentions membership, a permission or the like, which the client does not supply."""
    for part in node.walk():
        if isinstance(part, Name | Member) and RIGHTS.search(part.name):
            tags = facts.values.of(part)
            if not tags & CLAIMED or tags & Tag.USER:
                return True
        elif (
            isinstance(part, Const) and isinstance(part.value, str) and RIGHTS.search(part.value[:30])
        ) or _looks_for_itself(facts, part):
            return True
        # a condition that has a name: `const isCook = order.cookId === user.id`
        made = facts.follow(part) if isinstance(part, Name) and steps else part
        if made is not part and isinstance(made, Op) and names_a_right(facts, made, steps - 1):
            return True
    return False


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Const) and node.value in (None, True, False, "")


def _looks_for_itself(facts: Facts, part: Node) -> bool:
    """Tell whether a condition is about the socket or its user: `sid in room`, `order.userId == user.id`."""
    match part:
        case Op(op="==" | "!=", operands=operands):
            tags = [facts.values.of(operand) for operand in operands]
            return any(tag & (Tag.SID | Tag.USER) for tag in tags) and not any(_is_nothing(part) for part in operands)
        case Op(op="in" | "not in", operands=[first, rooms]):
            return bool(facts.values.of(first) & (Tag.SID | Tag.USER)) or facts.is_own_rooms(rooms)
        case Call(func=Member(obj=Member(obj=socket, name="rooms"), name="has")):
            return Tag.SOCKET in facts.values.of(socket)
        case Call(func=Member(name="has" | "includes"), args=[first]):
            return bool(facts.values.of(first) & (Tag.SID | Tag.USER))
    return False


def before(node: Node, top: Func | None) -> Iterator[tuple[Node, bool]]:
    """Yield what runs before a node, up to the function `top`: statements, and (True) the conditions around it."""
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


def leaves(node: Node) -> bool:
    """Tell whether a statement may end the function: it contains a return, a throw, or `continue`."""
    return any(
        isinstance(part, (Return, Throw)) or getattr(part, "kind", "") in ("continue", "break") for part in node.walk()
    )


def is_guarded(facts: Facts, node: Node, named: Node, steps: int = 2, *, is_open: bool = False) -> bool:
    """Tell whether a right is looked at before `node` acts on the room `named`, which a client chose.

    In an app without accounts (`is_open`), whoever knows the name of an existing room may be in it.
    """
    func = _handler(facts, node)
    if func is not None and any(names_a_right(facts, mark) for mark in func.decorators if not _registers(mark)):
        return True
    if any(_checks(facts, step, around=around) for step, around in before(node, func)):
        return True
    if is_open and any(_finds(facts, step, named) for step, _ in before(node, func)):
        return True
    return _is_guarded_at_calls(facts, func, steps, is_open=is_open)


def _is_guarded_at_calls(facts: Facts, func: Func | None, steps: int, *, is_open: bool) -> bool:
    """Tell whether every call of a helper, with what a client names, is guarded where it is made."""
    if func is None or not steps or any(handler.func is func for handler in facts.handlers.all):
        return False
    calls = [
        call
        for call in facts.values.callers.get(id(func), [])
        if any(facts.values.of(arg) & CLAIMED for arg in (*call.args, *(value for _, value in call.keywords)))
    ]
    return bool(calls) and all(is_guarded(facts, call, call, steps - 1, is_open=is_open) for call in calls)


def _finds(facts: Facts, step: Node, named: Node) -> bool:
    """Tell whether a statement ends the handler if what the client names does not exist."""
    if not isinstance(step, If) or not leaves(step):
        return False
    wanted = set(names_in(named))
    for part in step.test.walk():
        made = facts.follow(part) if isinstance(part, Name) else part
        made = made.value if isinstance(made, Await) else made
        looked_up = isinstance(made, Call | Index) or (isinstance(made, Op) and made.op in ("in", "not in"))
        if looked_up and wanted & set(names_in(made)):
            return True
    return False


def _registers(decorator: Node) -> bool:
    """Tell whether a decorator only registers a handler, so that its words are the name of an event."""
    func = decorator.func if isinstance(decorator, Call) else decorator
    return getattr(func, "name", "") in ("on", "event", "on_event", "SubscribeMessage")


def _handler(facts: Facts, node: Node) -> Func | None:
    known = {id(handler.func) for handler in facts.handlers.all}
    for func in enclosing(node, Func):
        if isinstance(func, Func) and id(func) in known:
            return func
    return function_of(node)


def _checks(facts: Facts, step: Node, *, around: bool) -> bool:
    if around:
        return names_a_right(facts, step) or _uses_record(facts, step) or _looks_up(facts, step)
    for part in step.walk():
        if (
            isinstance(part, If)
            and leaves(part)
            and (names_a_right(facts, part.test) or _uses_record(facts, part.test))
        ):
            return True
        if isinstance(part, Call) and (_asserts(facts, part) or _looks_up(facts, part)):
            return True
    return False


def _asserts(facts: Facts, call: Call) -> bool:
    """Tell whether a call checks a right by itself: by its name, or by a check in its body."""
    name = getattr(call.func, "name", "")
    if RIGHTS.search(name) and re.match(
        r"(check|assert|ensure|verify|require|authorize|validate|can|is|has|get|find)", name, re.I
    ):
        return True
    return any(_refuses(facts, func) for func in facts.project.callees(call))


def _refuses(facts: Facts, func: Func) -> bool:
    parts = [part for statement in func.body for part in statement.walk()]
    return any(isinstance(part, If) and names_a_right(facts, part.test) and leaves(part) for part in parts)


def _uses_record(facts: Facts, test: Node) -> bool:
    """Tell whether a condition compares a field of a record that was looked up, so more than that it exists."""
    for part in test.walk():
        if isinstance(part, Member) and isinstance(part.obj, Name) and part.name not in ("length", "size"):
            made = facts.follow(part.obj)
            made = made.value if isinstance(made, Await) else made
            if (
                isinstance(made, Call)
                and not FORMS.search(getattr(made.func, "name", ""))
                and any(facts.values.of(arg) & CLAIMED or _has_client(facts, arg) for arg in made.args)
            ):
                return True
    return False


def _has_client(facts: Facts, arg: Node) -> bool:
    return any(facts.is_client(part) for part in arg.walk() if isinstance(part, (Name, Member)))


def _looks_up(facts: Facts, node: Node) -> bool:
    """Tell whether a call looks something up by a value of the client and the verified user together."""
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
    """Tell whether a call may look at a right: a look-up, or a service that is waited for."""
    name = getattr(call.func, "name", "")
    if LOOK_UPS.match(name) and not DATABASE_WRITES.match(name):
        return True
    waited = isinstance(call.parent, Await) and isinstance(call.func, Member)
    return waited and not WRITES.match(name) and not is_database_write(facts, call)


def _passes_token(facts: Facts, given: list[Node]) -> bool:
    """Tell whether a call passes on the token of the handshake, for another service to verify."""
    return any(
        Tag.HANDSHAKE in facts.values.of(arg)
        and any(re.search("token|cookie|authorization", name, re.I) for name in names_in(arg))
        for arg in given
    )


__all__ = ["Assign", "before", "class_of", "is_guarded", "leaves", "names_a_right", "names_in", "returned"]
