"""What a project does as a whole: limits, validation, accounts; and small questions about single nodes."""

import re
from collections.abc import Iterator

from lab.check.actions import EMITS
from lab.check.collect import STARTERS
from lab.check.facts import Facts
from lab.check.guards import names_a_right, names_in
from lab.check.handlers import Handler
from lab.check.identity import claims_in, handshake_claims, parts_of, uses_identity, verifies
from lab.check.ir import (
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
    Record,
    Text,
    This,
    Try,
)
from lab.check.ir import Sequence as ListOf
from lab.check.places import place_of
from lab.check.scopes import Variable, class_of, enclosing, field_type
from lab.check.servers import Server
from lab.check.stores import is_database_write
from lab.check.tags import CLAIMED, Tag

LIMITS = re.compile(
    r"rate_?limit|limiter|throttl|cool_?down|flood|token_?bucket|too_?many|spam|rate_?check|leaky", re.I
)
CHECKS = re.compile(
    r"validat|schema|^zod$|^joi$|^yup$|^ajv$|pydantic|safeParse|model_validate|parse_obj|isinstance|sanitize|is_?string|isArray|"
    r"typeof|assertType|TypeAdapter|marshmallow",
    re.I,
)
DEVELOPMENT = re.compile(r"\b(is_?)?dev(elopment)?(_?mode)?\b|debug|NODE_ENV", re.I)
FINDERS = re.compile(
    r"^(find\w*|get\w*|first|one|one_or_none|scalar\w*|fetch\w*|query|load\w*|exec|lean|populate|select)$", re.I
)
PEOPLE = re.compile(
    r"^(members?|participants?|players?|users?|online_?users|active_?users|connected\w*|viewers?|player_?count|"
    r"member_?count|occupan\w+|attendees?)$",
    re.I,
)
DEFAULT_SIZE = 1_000_000
# methods that change a record, whatever the object is called
UPDATES = {"update", "updateOne", "save", "patch", "findByIdAndUpdate"}
# methods that close a socket
ENDS = {"disconnect", "disconnectSockets", "close", "terminate", "end"}
OFFLOADS = {"to_thread", "run_in_executor", "run_sync", "submit", "run_in_threadpool", "sync_to_async", "Worker"}


def made_servers(facts: Facts) -> list[Server]:
    """Return the servers, without those of development."""
    return [server for server in facts.servers if not is_development(server.node, server.node)]


def limits_size(server: Server) -> bool:
    """Tell whether a server accepts no message above the library's default of one megabyte."""
    value = server.option("maxHttpBufferSize", "max_http_buffer_size")
    return value is not None and _number(value) <= DEFAULT_SIZE


def _number(node: Node) -> float:
    """Return the value of a product of numbers, or 0 if it is not known."""
    match node:
        case Const(value=int() | float() as number):
            return number
        case Op(op="*" | "**", operands=[first, second]):
            return _number(first) * _number(second) if node.op == "*" else _number(first) ** _number(second)
    return 0


def _running(facts: Facts, *kinds: str) -> Iterator[Func]:
    """Yield each function that a handler of these kinds runs, directly or through calls."""
    for module in facts.modules:
        for func in module.funcs:
            if any(handler.kind in kinds for handler in facts.handlers.running.get(id(func), [])):
                yield func


def open_events(facts: Facts) -> list[Handler]:
    """Return the handlers of events that are not registered under a condition, such as for administrators only."""
    return [handler for handler in facts.events if not is_for_some(facts, handler)]


def is_for_some(facts: Facts, handler: Handler) -> bool:
    """Tell whether a handler is registered only for clients that have some right."""
    conditions = (outer.test for outer in enclosing(handler.node, If) if isinstance(outer, If))
    return any(names_a_right(facts, test) for test in conditions)


def limits_rates(facts: Facts) -> bool:
    """Tell whether handlers count what a client sends."""
    return any(LIMITS.search(name) for func in _running(facts, "event", "middleware") for name in _names(func))


def _names(func: Func) -> Iterator[str]:
    yield func.name
    for node in (*func.body, *func.decorators):
        yield from names_in(node)


def validates(facts: Facts) -> bool:
    """Tell whether handlers check the form of what a client sends."""
    piped = has_validation_pipe(facts)
    for func in _running(facts, "event"):
        if any(CHECKS.search(name) for name in _names(func)):
            return True
        if any(isinstance(node, Op) and node.op == "typeof" for node in parts_of(func)):
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
    """Tell whether a handler uses what a client sends."""
    return any(
        isinstance(node, Name | Member) and facts.is_client(node)
        for handler in facts.events
        for node in parts_of(handler.func)
    )


def has_accounts(facts: Facts) -> bool:
    """Tell whether clients are users: something verifies them, or they say who they are."""
    if verifies(facts, "connect", "middleware", "event") or any(
        uses_identity(facts, handler) for handler in facts.events
    ):
        return True
    people = re.compile(r"_?id$|email", re.I)
    claims = [node for handler in facts.events for node in claims_in(facts, handler)]
    claims += [node for handler in facts.handlers.all for node in handshake_claims(facts, handler.func)]
    return any(people.search(name) for node in claims for name in names_in(node))


def is_development(node: Node, value: Node) -> bool:
    """Tell whether a place runs in development only."""
    tests: list[Node] = [above.test for above in enclosing(node, If) if isinstance(above, If)]
    tests += [part.operands[0] for part in value.walk() if isinstance(part, Op) and part.op == "?:"]
    return any(DEVELOPMENT.search(name) for test in tests for name in names_in(test))


# --- single nodes ---


def is_statement(node: Node) -> bool:
    """Tell whether the value of an expression is thrown away."""
    match node.parent:
        case None | Try() | Func():
            return True
        case Block(kind=kind):
            return kind != "comprehension"
        case If(test=test):
            return test is not node
        case Loop(iterable=iterable):
            return iterable is not node
    return False


def is_async_server(facts: Facts, server: Node) -> bool:
    """Tell whether a Python object is an `AsyncServer` or an `AsyncNamespace`."""
    if isinstance(server, This):
        cls = class_of(server)
        return cls is not None and any("AsyncNamespace" in facts.project.outside(base) for base in cls.bases)
    if Tag.SERVER not in facts.values.of(server):
        return False
    made = facts.project.meaning(server)
    if isinstance(made, Variable) and made.values:
        return False  # it may be one of several
    if isinstance(made, Variable) and made.param is not None and made.param.type.endswith("AsyncServer"):
        return True
    if isinstance(made, Call) and (name := facts.project.outside(made.func)):
        return name.endswith(".AsyncServer")
    # a server that comes from elsewhere: another place awaits what it returns
    return any(
        isinstance(node.value, Call)
        and isinstance(node.value.func, Member)
        and node.value.func.name in ("emit", "enter_room")
        and Tag.SERVER in facts.values.of(node.value.func.obj)
        for _, node in facts.nodes(Await)
        if isinstance(node, Await)
    )


def is_record(facts: Facts, expr: Node) -> bool:
    """Tell whether a variable holds a record that a look-up in a database gave."""
    found = facts.follow(expr)
    found = found.value if isinstance(found, Await) else found
    return (
        isinstance(found, Call)
        and isinstance(found.func, Member)
        and bool(FINDERS.match(found.func.name))
        and not facts.keeps(expr)
    )


def is_emit(node: Call) -> bool:
    """Tell whether a call is named like an emit."""
    return getattr(node.func, "name", "") in EMITS


def is_written(facts: Facts, node: Node) -> bool:
    """Tell whether an object literal is an argument of a call that writes to a database."""
    above = node.parent
    while isinstance(above, Record | ListOf):
        above = above.parent
    return isinstance(above, Call) and (is_database_write(facts, above) or getattr(above.func, "name", "") in UPDATES)


def is_offloaded(node: Node) -> bool:
    """Tell whether a node runs in a thread or a process of its own."""
    for func in enclosing(node, Func):
        call = func.parent
        if isinstance(call, Call) and getattr(call.func, "name", "") in OFFLOADS:
            return True
    return False


def runs_later(facts: Facts, node: Node) -> bool:
    """Tell whether the function around a node is started as a task, a timer or a job."""
    for func in enclosing(node, Func):
        if id(func) in facts.values.later:
            return True
        for call in facts.values.callers.get(id(func), []):
            above = call.parent
            if isinstance(above, Call) and getattr(above.func, "name", "") in {
                *STARTERS,
                "create_task",
                "ensure_future",
            }:
                return True
    return False


def uses_threads(facts: Facts, node: Node) -> bool:
    """Tell whether handlers of this file run in threads, so that blocking one holds up no other."""
    module = facts.project.module_of(node)
    if module.source.language != "py":
        return False
    if facts.dialect(module.path) == "flask":
        return True
    servers = [facts.project.outside(server.node.func) for server in facts.servers if isinstance(server.node, Call)]
    return bool(servers) and all(name == "socketio.Server" for name in servers)


def is_named_by_client(facts: Facts, room: Node) -> bool:
    """Tell whether the client alone names a room: no part of it is known to the server."""
    tags = facts.values.of(room)
    return bool(tags & CLAIMED) and not tags & (Tag.USER | Tag.STORED | Tag.SID | Tag.IDS)


def owners(facts: Facts, place: Node) -> Iterator[str]:
    """Yield the names of a collection, of what it is a part of, and of the class that it belongs to."""
    yield from names_in(place)
    root = place
    while isinstance(root, Member | Index | Call):
        root = root.func if isinstance(root, Call) else root.obj
    if isinstance(root, Name) and (made := facts.follow(root)) is not root:
        yield from names_in(made)
    cls = class_of(place)
    if cls is not None:
        yield cls.name


def call_from(facts: Facts, handler: Handler, node: Node) -> Node:
    """Return the place in the handler's file that leads to a node: the node, or the call of a helper elsewhere."""
    module = facts.project.module_of(handler.func)
    if facts.path_of(node) == module.path:
        return node
    here = [func for func in module.funcs if handler in facts.handlers.running.get(id(func), [])]
    for leads in (_holds, _leads):
        for func in here:
            for part in parts_of(func):
                if isinstance(part, Call) and any(leads(facts, callee, node) for callee in facts.project.callees(part)):
                    return part
    return node


def _holds(facts: Facts, func: Func, node: Node) -> bool:
    return func in enclosing(node, Func)


def _leads(facts: Facts, func: Func, node: Node) -> bool:
    calls = (part for part in parts_of(func) if isinstance(part, Call))
    return any(_holds(facts, callee, node) for call in calls for callee in facts.project.callees(call))


def is_only_closed(facts: Facts, place: Node) -> bool:
    """Tell whether the sockets of a collection are only closed, as at shutdown."""
    kept = place_of(facts.project, place)
    closed = False
    for _, node in facts.nodes(Call):
        if not isinstance(node, Call) or not isinstance(node.func, Member):
            continue
        if Tag.KEPT not in facts.values.of(node.func.obj) or place_of(facts.project, node.func.obj) != kept:
            continue
        if node.func.name in ENDS:
            closed = True
        elif node.func.name in EMITS | {"join", "leave", "to"}:
            return False
    return closed


def is_queue(place: Node) -> bool:
    """Tell whether an object is a queue of jobs."""
    return isinstance(place, Name | Member) and bool(
        re.search(r"(queue|jobs|tasks|worker|celery|bull|agenda)$", place.name, re.I)
    )


def sql_of(facts: Facts, call: Call) -> str:
    """Return the SQL text that a call runs, or ""."""
    for arg in call.args[:1]:
        found = facts.follow(arg)
        parts = found.parts if isinstance(found, Text) else [found]
        text = "".join(str(part.value) for part in parts if isinstance(part, Const) and isinstance(part.value, str))
        if re.match(r"\s*(select|insert|update|delete|with)\b", text, re.I):
            return text
    return ""


def is_injected(obj: Node) -> bool:
    """Tell whether an object is a field that the class gets from outside, such as a repository."""
    cls = class_of(obj)
    if cls is None or not isinstance(obj, Member) or not isinstance(obj.obj, This):
        return False
    return bool(field_type(cls, obj.name))
