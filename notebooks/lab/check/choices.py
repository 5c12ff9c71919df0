"""Finds the possible values of a Socket.IO server's options in checked code."""

import re

from lab.check.facts import Facts
from lab.check.ir import Call, Member, Name, Node, Op, Sequence
from lab.check.names import names_in

PRODUCTION = re.compile(r"^(is_?)?prod(uction)?$", re.I)


def choices(facts: Facts, value: Node) -> list[Node]:
    """Return the possible values of a server option, as syntax-tree nodes.

    `value` is the expression that the checked code passes for the option. Possible values are, for example, both
    operands of `a || b`, the default in `getenv(name, default)`, and the elements of a list.
    """
    found = facts.follow(value)
    match found:
        case Op(op="||" | "??", operands=operands):
            return [part for operand in operands for part in choices(facts, operand)]
        case Call(func=(Name(name="getenv") | Member(name="getenv" | "get")), args=[_, default]):
            return choices(facts, default)
        case Op(op="?:", operands=[test, first, second]):
            # the value in production
            return choices(facts, second if _excludes(test) else first) if _is_production(test) else [found]
        case Name() if (param := facts.parameter(found)) is not None and param.param is not None:
            given = facts.arguments(param) or ([param.param.default] if param.param.default is not None else [])
            return [part for value in given for part in choices(facts, value)]
        case Sequence(items=[_, *_] as items):
            return [facts.follow(item) for item in items]
        case Member() if isinstance(meant := facts.project.meaning(found), Node) and meant is not found:
            # a field of a class of settings
            return choices(facts, meant)
    return [found]


def _is_production(test: Node) -> bool:
    return any(PRODUCTION.search(name) for name in names_in(test))


def _excludes(test: Node) -> bool:
    return isinstance(test, Op) and test.op in ("!", "!=")
