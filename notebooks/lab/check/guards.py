"""Checks before a join or an emit, which keep a client out."""

from collections.abc import Iterator

from lab.check.facts import Facts
from lab.check.ir import Block, Call, Func, If, Index, Loop, Node, Op, Try
from lab.check.names import last_name, names_in
from lab.check.rights import asserts, leaves, looks_up, names_a_right, uses_record
from lab.check.scopes import enclosing
from lab.check.tags import CLAIMED

# calls that are followed upwards from a helper
STEPS = 2


def before(node: Node, top: Func | None) -> Iterator[tuple[Node, bool]]:
    """Yield what runs before a node inside the function `top`.

    Each earlier statement comes with False. Each condition around the node, or around `top`, comes with True.
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


def is_guarded(facts: Facts, node: Node, named: Node, steps: int = STEPS, *, is_open: bool = False) -> bool:
    """Tell whether the code checks a right before a client gets in.

    `node` is the join or emit, and `named` is its room, which a client chose. `steps` is how many levels of callers are
    searched for the check. In an app without accounts (`is_open`), a check that the room exists is enough.
    """
    func = facts.handler_function(node)
    if func is not None and any(names_a_right(facts, mark) for mark in func.decorators if not _registers(mark)):
        return True
    if any(_checks(facts, step, around=around) for step, around in before(node, func)):
        return True
    if is_open and any(_finds(facts, step, named) for step, _ in before(node, func)):
        return True
    return _is_guarded_at_calls(facts, func, steps, is_open=is_open)


def _is_guarded_at_calls(facts: Facts, func: Func | None, steps: int, *, is_open: bool) -> bool:
    """Tell whether a check guards each call of the helper `func`.

    Only calls that pass a value from a client are looked at. It is False if there are none.
    """
    if func is None or not steps or facts.is_handler(func):
        return False
    calls = [
        call
        for call in facts.values.uses.callers.get(id(func), [])
        if any(facts.values.of(arg) & CLAIMED for arg in (*call.args, *(value for _, value in call.keywords)))
    ]
    return bool(calls) and all(is_guarded(facts, call, call, steps - 1, is_open=is_open) for call in calls)


def _finds(facts: Facts, step: Node, named: Node) -> bool:
    """Tell whether a statement refuses a room that does not exist.

    That is so if it ends the handler, depending on a look-up of the room's name.
    """
    if not isinstance(step, If) or not leaves(step):
        return False
    wanted = set(names_in(named))
    for part in step.test.walk():
        made = facts.made(part)
        looked_up = isinstance(made, Call | Index) or (isinstance(made, Op) and made.op in ("in", "not in"))
        if looked_up and wanted & set(names_in(made)):
            return True
    return False


def _registers(decorator: Node) -> bool:
    """Tell whether a decorator only registers a handler.

    The words in such a decorator are an event's name, so they say nothing about rights.
    """
    return last_name(decorator) in ("on", "event", "on_event", "SubscribeMessage")


def _always_run(step: Node) -> Iterator[Node]:
    """Yield the parts of a statement that always run with it.

    The branches of a condition do not.
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


def _checks(facts: Facts, step: Node, *, around: bool) -> bool:
    if around:
        return names_a_right(facts, step) or uses_record(facts, step) or looks_up(facts, step)
    for part in _always_run(step):
        if isinstance(part, If) and leaves(part) and (names_a_right(facts, part.test) or uses_record(facts, part.test)):
            return True
        if isinstance(part, Call) and (asserts(facts, part) or looks_up(facts, part)):
            return True
    return False
