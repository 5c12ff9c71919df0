"""What a project limits and validates in the messages of clients."""

import re
from collections.abc import Iterator

from lab.check.facts import Facts
from lab.check.handlers import Handler
from lab.check.ir import Const, Func, If, Member, Name, Node, Op
from lab.check.names import names_in
from lab.check.rights import names_a_right
from lab.check.scopes import class_of, enclosing
from lab.check.servers import Server
from lab.check.tags import CLAIMED

# names of code that counts how often a client sends
RATE_LIMITS = re.compile(
    r"rate_?limit|limiter|throttl|cool_?down|flood|token_?bucket|too_?many|spam|rate_?check|leaky", re.I
)
# names of code that checks the form of a payload
CHECKS = re.compile(
    r"validat|schema|sanitize|is_?string|isArray|isinstance|typeof|assertType"
    # libraries and their methods
    r"|^zod$|^joi$|^yup$|^ajv$|pydantic|marshmallow|safeParse|model_validate|parse_obj|TypeAdapter",
    re.I,
)
DEVELOPMENT = re.compile(r"\b(is_?)?dev(elopment)?(_?mode)?\b|debug|NODE_ENV", re.I)
# bytes that a message may have by default
DEFAULT_SIZE = 1_000_000


def made_servers(facts: Facts) -> list[Server]:
    """Return the servers, without those that run only in development."""
    return [server for server in facts.servers if not is_development(server.node, server.node)]


def is_development(node: Node, value: Node) -> bool:
    """Tell whether a server or its option is for development only.

    That is so if a condition around `node`, or of a `?:` in `value`, mentions a name like "development".
    """
    tests: list[Node] = [above.test for above in enclosing(node, If) if isinstance(above, If)]
    tests += [part.operands[0] for part in value.walk() if isinstance(part, Op) and part.op == "?:"]
    return any(DEVELOPMENT.search(name) for test in tests for name in names_in(test))


def limits_size(server: Server) -> bool:
    """Tell whether a server limits messages to the default size or less."""
    value = server.option("maxHttpBufferSize", "max_http_buffer_size")
    return value is not None and _number(value) <= DEFAULT_SIZE


def _number(node: Node) -> float:
    """Return a constant number, or a product or power of constants.

    It returns 0 for any other expression.
    """
    match node:
        case Const(value=int() | float() as number):
            return number
        case Op(op="*" | "**", operands=[first, second]):
            return _number(first) * _number(second) if node.op == "*" else _number(first) ** _number(second)
    return 0


def open_events(facts: Facts) -> list[Handler]:
    """Return the handlers of events that every client may send.

    Left out are handlers that the code registers only under a condition, for example for administrators.
    """
    return [handler for handler in facts.events if not is_for_some(facts, handler)]


def takes_events(facts: Facts, server: Server) -> bool:
    """Tell whether clients may send events to a server.

    To a Nest gateway they may if its class handles events; to a Nest adapter they never do.
    """
    if server.gateway is None:
        return not server.adapter
    return id(server.gateway) in facts.once(_classes_with_events)


def _classes_with_events(facts: Facts) -> set[int]:
    return {id(class_of(handler.func)) for handler in facts.once(open_events)}


def is_for_some(facts: Facts, handler: Handler) -> bool:
    """Tell whether a handler is only registered for clients with some right."""
    conditions = (outer.test for outer in enclosing(handler.node, If) if isinstance(outer, If))
    return any(names_a_right(facts, test) for test in conditions)


def limits_rates(facts: Facts) -> bool:
    """Tell whether handlers count what a client sends."""
    return any(RATE_LIMITS.search(name) for func in _running(facts, "event", "middleware") for name in _names(func))


def validates(facts: Facts) -> bool:
    """Tell whether handlers check the form of what a client sends."""
    piped = has_validation_pipe(facts)
    for func in _running(facts, "event"):
        if any(CHECKS.search(name) for name in _names(func)):
            return True
        if any(isinstance(node, Op) and node.op == "typeof" for node in func.parts()):
            return True
        for param in func.params:
            # a pipe validates by the class that a parameter names
            named = re.match(r"[A-Z]\w+$", param.type) if piped else param.type and facts.project.named_type(param.type)
            if named and facts.values.of(param.target) & CLAIMED:
                return True
    return False


def has_validation_pipe(facts: Facts) -> bool:
    """Tell whether Nest's `ValidationPipe` is used anywhere."""
    return any(isinstance(node, Name) and node.name == "ValidationPipe" for _, node in facts.nodes(Name))


def reads_payloads(facts: Facts) -> bool:
    """Tell whether a handler uses what a client sends in an event."""
    return any(
        isinstance(node, Name | Member) and facts.is_client(node)
        for handler in facts.events
        for node in handler.func.parts()
    )


def _running(facts: Facts, *kinds: str) -> Iterator[Func]:
    """Yield each function that handlers of these kinds run.

    They run it directly or through calls.
    """
    for module in facts.modules:
        for func in module.funcs:
            if any(handler.kind in kinds for handler in facts.handlers.running.get(id(func), [])):
                yield func


def _names(func: Func) -> Iterator[str]:
    yield func.name
    for node in (*func.body, *func.decorators):
        yield from names_in(node)
