"""Finds out whether the checked code verifies who a client is."""

from collections.abc import Iterator

from lab.check.facts import Facts
from lab.check.handlers import Handler
from lab.check.ir import Call, Func, Member, Name, Node
from lab.check.tags import VERIFIERS, Tag


def verifies(facts: Facts, *kinds: str) -> bool:
    """Tell whether any handler of these `kinds` checks who the client is.

    A kind is, for example, "connect", "middleware" or "event". The check can be in a function that the handler calls.
    """
    return not facts.once(_verifying_kinds).isdisjoint(kinds)


def _verifying_kinds(facts: Facts) -> set[str]:
    return {handler.kind for handler in facts.handlers.all if logs_in(facts, handler)}


def logs_in(facts: Facts, handler: Handler) -> bool:
    """Tell whether a handler checks who the client is.

    The check is a call such as `jwt.verify(token)`, in the handler or in a function that the handler calls.
    """
    for func in (handler.func, *_called(facts, handler.func)):
        for node in func.parts():
            if isinstance(node, Call) and _verifies(facts, node) and _is_own(facts, handler, func, node):
                return True
    return False


def _verifies(facts: Facts, call: Call) -> bool:
    if VERIFIERS.search(getattr(call.func, "name", "")):
        return True
    return facts.project.outside(call.func).startswith(("jsonwebtoken", "jwt", "jose"))


def _is_own(facts: Facts, handler: Handler, func: Func, node: Node) -> bool:
    """Tell whether the code `node` runs as part of `handler`.

    `func` is the function that contains this code: the handler's own function, or a function that the handler calls.
    The result is False for code in another handler that is written inside this handler.
    """
    return func is not handler.func or handler in facts.handlers.of(node)


def _called(facts: Facts, func: Func) -> Iterator[Func]:
    for node in func.parts():
        if isinstance(node, Call):
            yield from facts.project.callees(node)


def uses_identity(facts: Facts, handler: Handler) -> bool:
    """Tell whether a handler uses the client's verified identity or the handshake.

    Examples are `socket.data.user` and `socket.handshake.auth`. Data that the client sent in an event does not count.
    """
    for func in reached(facts, handler):
        for node in func.parts():
            tags = facts.values.of(node) if isinstance(node, Name | Member | Call) else Tag.NONE
            if tags & (Tag.USER | Tag.HANDSHAKE) and Tag.CLIENT not in tags:
                return True
    return False


def reached(facts: Facts, handler: Handler) -> Iterator[Func]:
    """Yield the handler's function, and functions that get its payload.

    Of the functions that get the payload, only those that the handler calls directly are yielded.
    """
    yield handler.func
    for node in handler.func.parts():
        if isinstance(node, Call) and any(Tag.CLIENT in facts.values.of(arg) for arg in node.args):
            yield from facts.project.callees(node)
