"""Finds how the checked code limits and validates messages from clients."""

import re
from collections.abc import Iterator

from lab.check.facts import Facts
from lab.check.handlers import Handler
from lab.check.ir import Call, Const, Func, If, Member, Name, Node, Op, Param, Record
from lab.check.names import last_name, names_in
from lab.check.rights import names_a_right
from lab.check.scopes import class_of, enclosing
from lab.check.servers import Server
from lab.check.tags import CLAIMED, Tag

# names of code that counts how often a client sends
RATE_LIMITS = re.compile(
    r"rate_?limit|limit_?rate|limiter|throttl|cool_?down|flood|token_?bucket|too_?many|spam|rate_?check|leaky", re.I
)
# names of code that checks the form of a payload
CHECKS = re.compile(
    r"validat|schema|sanitize|is_?string|isArray|isinstance|typeof|assertType"
    # libraries and their methods
    r"|^zod$|^joi$|^yup$|^ajv$|pydantic|marshmallow|safeParse|model_validate|parse_obj|TypeAdapter",
    re.I,
)
# written types that are no class: `{room: string}`, `any`, `Partial<Chat>`
UNCHECKED = re.compile(r"\s*(\{|any\b|unknown\b|object\b|Record<|(Omit|Pick|Partial|Required|Readonly)<)")
DEVELOPMENT = re.compile(r"(\b|_)(is_?)?dev(elopment)?(_?mode)?(\b|_)|debug|NODE_ENV", re.I)
# bytes that a message may have by default
DEFAULT_SIZE = 1_000_000


def made_servers(facts: Facts) -> list[Server]:
    """Return the checked code's Socket.IO servers, except those for development only."""
    return [server for server in facts.servers if not is_development(server.node, server.node)]


def is_development(node: Node, value: Node) -> bool:
    """Tell whether a server or a server option is for development only.

    `node` is the code that makes the server. `value` is the option, or `node` again if the question is about the
    server. The result is True if a condition mentions a name like "development". The condition is an `if` or a `?:`
    around `node`, or a `?:` in `value`.
    """
    tests: list[Node] = [above.test for above in enclosing(node, If) if isinstance(above, If)]
    # `isDev ? new Server(…) : new Server()`
    tests += [
        above.operands[0]
        for above in enclosing(node, Op)
        if isinstance(above, Op) and above.op == "?:" and (above.operands[1] is node or value is not node)
    ]
    tests += [part.operands[0] for part in value.walk() if isinstance(part, Op) and part.op == "?:"]
    return any(DEVELOPMENT.search(name) for test in tests for name in names_in(test))


def limits_size(server: Server) -> bool:
    """Tell whether the code itself limits messages to at most 1 MB.

    1 MB (1,000,000 bytes) is also Socket.IO's default; but if the code does not set the option (`maxHttpBufferSize` in
    JavaScript), the result is False. It is True if the checker cannot calculate the value of the option.
    """
    value = server.option("maxHttpBufferSize", "max_http_buffer_size")
    return value is not None and _number(value) <= DEFAULT_SIZE


def _number(node: Node) -> float:
    """Return the value of a number, a product or a power.

    Examples are `5`, `16 * 1024` and `2 ** 20`. The result is 0 for any other expression.
    """
    match node:
        case Const(value=int() | float() as number):
            return number
        case Op(op="*" | "**", operands=[first, second]):
            return _number(first) * _number(second) if node.op == "*" else _number(first) ** _number(second)
    return 0


def open_events(facts: Facts) -> list[Handler]:
    """Return the handlers of events that every client is allowed to send.

    A handler is left out if the code registers it only for some clients, such as administrators.
    """
    return [handler for handler in facts.events if not is_for_some(facts, handler)]


def takes_events(facts: Facts, server: Server) -> bool:
    """Tell whether clients can send events to a server.

    In the framework NestJS, a gateway is a class with event handlers, and an adapter creates the server that all
    gateways use. A gateway takes events if it handles an event that every client is allowed to send. An adapter takes
    no events. Any other server takes events.
    """
    if server.gateway is None:
        return not server.adapter
    return id(server.gateway) in facts.once(_classes_with_events)


def _classes_with_events(facts: Facts) -> set[int]:
    return {id(class_of(handler.func)) for handler in facts.once(open_events)}


def is_for_some(facts: Facts, handler: Handler) -> bool:
    """Tell whether a handler is registered only for some clients.

    The registration is then inside an `if` that checks a permission or a role, as in
    `if (user.isAdmin) socket.on("kick", kick)`.
    """
    conditions = (outer.test for outer in enclosing(handler.node, If) if isinstance(outer, If))
    return any(names_a_right(facts, test) for test in conditions)


def limits_rates(facts: Facts) -> bool:
    """Tell whether the project limits how often clients send events.

    The limit can be in a handler, in a middleware or in a decorator of a NestJS gateway class. It is recognised by the
    names in that code, such as `rateLimit`.
    """
    running = (name for func in _running(facts, "event", "middleware") for name in _names(func))
    return any(RATE_LIMITS.search(name) for name in (*running, *_set_as_middleware(facts), *_on_gateways(facts)))


def _set_as_middleware(facts: Facts) -> Iterator[str]:
    """Yield the names in the arguments of `server.use(…)` and `socket.use(…)`."""
    for _, call in facts.calls:
        if not isinstance(call.func, Member) or call.func.name != "use":
            continue
        if facts.values.of(call.func.obj) & (Tag.SERVER | Tag.SOCKET):
            yield from (name for arg in call.args for name in names_in(arg))


def _on_gateways(facts: Facts) -> Iterator[str]:
    """Yield the names in the decorators of NestJS gateway classes."""
    for server in facts.servers:
        if server.gateway is not None:
            yield from (name for decorator in server.gateway.decorators for name in names_in(decorator))


def validates(facts: Facts) -> bool:
    """Tell whether any event handler validates its payload.

    Examples are `isinstance(data, dict)` and `schema.parse(data)`, in the handler or in a function that it runs.
    """
    piped = has_validation_pipe(facts)
    for func in _running(facts, "event"):
        if any(CHECKS.search(name) for name in _names(func)):
            return True
        if any(isinstance(node, Op) and node.op == "typeof" for node in func.parts()):
            return True
        for param in func.params:
            # a pipe validates by the class that a parameter names, and without a pipe Nest validates nothing
            named = re.match(r"[A-Z]\w+$", param.type) if piped else not _is_event(func) and _has_class(facts, param)
            if named and facts.values.of(param.target) & CLAIMED:
                return True
    return False


def _is_event(func: Func) -> bool:
    """Tell whether `func` is an event handler of a NestJS gateway."""
    return any(last_name(mark) == "SubscribeMessage" for mark in func.decorators)


def _has_class(facts: Facts, param: Param) -> bool:
    return bool(param.type) and facts.project.named_type(param.type, param) is not None


def unpiped_payloads(facts: Facts) -> Iterator[Param]:
    """Yield each gateway's first payload parameter that Nest's `ValidationPipe` cannot check.

    In the framework NestJS, a gateway is a class with event handlers, and `ValidationPipe` validates their payloads. If
    the project does not use `ValidationPipe`, nothing is yielded.
    """
    seen: set[int] = set()
    for handler in facts.once(open_events) if has_validation_pipe(facts) else ():
        cls, param = class_of(handler.func), _unpiped_payload(facts, handler)
        if param is not None and id(cls) not in seen:
            seen.add(id(cls))
            yield param


def _unpiped_payload(facts: Facts, handler: Handler) -> Param | None:
    """Return the parameter whose payload Nest's `ValidationPipe` cannot check, or None.

    `ValidationPipe` is the validator of the framework NestJS. It checks a payload only if the type of the parameter is
    a class. An inline type, an interface and `any` are no classes. The result is also None for a handler whose own
    code validates the payload.
    """
    func = handler.func
    if not _is_event(func) or any(CHECKS.search(name) for name in _names(func)):
        return None
    if any(isinstance(node, Op) and node.op == "typeof" for node in func.parts()):
        return None
    for param in func.params:
        name = getattr(param.target, "name", "")
        used = any(isinstance(node, Name) and node.name == name for part in func.body for node in part.walk())
        if used and facts.is_client(param.target) and (UNCHECKED.match(param.type) or _is_interface(facts, param.type)):
            return param
    return None


def _is_interface(facts: Facts, name: str) -> bool:
    found = facts.project.types.get(name.strip(), [])
    return bool(found) and all(cls.kind != "class" for cls in found)


def has_validation_pipe(facts: Facts) -> bool:
    """Tell whether any `ValidationPipe` is used that is not a global pipe."""
    return any(not _is_global(pipe) for pipe in _validation_pipes(facts))


def has_global_pipe_only(facts: Facts) -> bool:
    """Tell whether the checked code uses `ValidationPipe` only as a global pipe.

    Global pipes are set with `useGlobalPipes` or `APP_PIPE`. They do not check the payloads that gateways receive
    (nestjs/nest issue 3475).
    """
    pipes = _validation_pipes(facts)
    return bool(pipes) and all(map(_is_global, pipes))


def _validation_pipes(facts: Facts) -> list[Name]:
    return [node for _, node in facts.nodes(Name) if isinstance(node, Name) and node.name.endswith("ValidationPipe")]


def _is_global(pipe: Node) -> bool:
    for outer in enclosing(pipe, Call, Record):
        if isinstance(outer, Call) and last_name(outer.func) == "useGlobalPipes":
            return True
        if isinstance(outer, Record) and "APP_PIPE" in names_in(outer):
            return True
    return False


def reads_payloads(facts: Facts) -> bool:
    """Tell whether any event handler uses data that the client sent."""
    return any(
        isinstance(node, Name | Member) and facts.is_client(node)
        for handler in facts.events
        for node in handler.func.parts()
    )


def _running(facts: Facts, *kinds: str) -> Iterator[Func]:
    """Yield each function that handlers of these kinds run.

    Kinds are, for example, "event" and "middleware". A handler can run a function directly or through other functions.
    """
    for module in facts.modules:
        for func in module.funcs:
            if any(handler.kind in kinds for handler in facts.handlers.running.get(id(func), [])):
                yield func


def _names(func: Func) -> Iterator[str]:
    yield func.name
    for node in (*func.body, *func.decorators):
        yield from names_in(node)
