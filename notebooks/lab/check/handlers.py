"""Finds the handlers in the checked code.

The Socket.IO library calls a handler when a client connects, sends an event or leaves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lab.check.ir import Call, Class, Const, Func, Member, Name, Node, Text
from lab.check.names import last_name
from lab.check.places import as_function, bases_of
from lab.check.project import Project
from lab.check.scopes import Module
from lab.check.servers import is_flask
from lab.check.tables import called, functions_of
from lab.check.tags import Tag
from lab.check.values import Values
from lab.check.wrappers import route_parts, wrapper_of

CONNECT, DISCONNECT = {"connect", "connection"}, {"disconnect", "disconnecting"}
REGISTER = {"on", "once", "addListener", "on_event", "prependListener"}
# events of the library itself
INTERNAL = {"error", "connect_error", "newListener", "removeListener", "headers", "initial_headers"}
# calls that are followed from a handler
DEPTH = 4
# handlers inside handlers that are found
ROUNDS = 3


@dataclass(slots=True, eq=False)
class Handler:
    """A function in checked code, with the Socket.IO event that runs it."""

    func: Func
    module: Module
    # "connect", "disconnect", "event" or "middleware"
    kind: str
    # the event's name as written, or "" if it is computed
    event: str
    # where it is registered
    node: Node


@dataclass(slots=True, eq=False)
class Handlers:
    """All handlers, and which handlers run each function, directly or through calls."""

    all: list[Handler] = field(default_factory=list)
    # handlers that run a function, directly or through calls
    running: dict[int, list[Handler]] = field(default_factory=dict)

    def of(self, node: Node) -> list[Handler]:
        """Return the handlers that run the code `node`, directly or through calls."""
        above: Node | None = node
        while above is not None:
            if id(above) in self.running:
                return self.running[id(above)]
            above = above.parent
        return []


def find_handlers(project: Project, values: Values) -> Handlers:
    """Return all handlers (functions that Socket.IO calls) in the checked code.

    What is known of their parameters, such as "sent by the client", is written to `values.uses.roles`.
    """
    found: dict[int, Handler] = {}
    # a socket is known only when the handler that gets it is known
    for _ in range(ROUNDS):
        before = len(found)
        for module in list(project.modules.values()):
            for handler, roles in _in_module(project, values, module):
                if id(handler.func) not in found:
                    found[id(handler.func)] = handler
                    values.uses.roles[id(handler.func)] = roles
        values.forget()
        if len(found) == before:
            break
    handlers = Handlers(list(found.values()))
    reach = _Reach(project, handlers)
    for handler in handlers.all:
        reach.mark(handler, handler.func, DEPTH)
    return handlers


class _Reach:
    """Finds the functions that each handler runs, directly or through calls."""

    def __init__(self, project: Project, handlers: Handlers) -> None:
        self._project = project
        self._running = handlers.running
        self._handling = {id(handler.func) for handler in handlers.all}
        self._called: dict[int, list[Func]] = {}

    def mark(self, handler: Handler, func: Func, depth: int) -> None:
        """Record that a handler runs `func` and the functions called there.

        Calls are followed at most `depth` levels deep, where `func` is the first level.
        """
        running = self._running.setdefault(id(func), [])
        if handler in running or depth == 0:
            return
        running.append(handler)
        if id(func) not in self._called:
            self._called[id(func)] = list(self._callees(func))
        for callee in self._called[id(func)]:
            self.mark(handler, callee, depth - 1)

    def _callees(self, func: Func) -> Iterator[Func]:
        """Yield the functions, except handlers, that `func` calls. Calls in nested handlers are left out."""
        waiting: list[Node] = list(func.body)
        while waiting:
            node = waiting.pop()
            if isinstance(node, Func) and id(node) in self._handling:
                continue
            if isinstance(node, Call):
                for callee in called(self._project, node):
                    if id(callee) not in self._handling and callee.name not in ("constructor", "__init__"):
                        yield callee
            waiting += node.children()


def _in_module(project: Project, values: Values, module: Module) -> Iterator[tuple[Handler, list[Tag]]]:
    for cls in module.classes:
        if (wrapper := wrapper_of(project, cls)) is not None:
            for part in cls.body:
                if isinstance(part, Func) and part.name in (wrapper.connect, wrapper.disconnect):
                    kind = "connect" if part.name == wrapper.connect else "disconnect"
                    yield Handler(part, module, kind, kind, part), [*wrapper.roles[:1]]
        elif values.is_namespace(cls):
            yield from _of_namespace(project, module, cls)
        elif any(last_name(part) == "WebSocketGateway" for part in cls.decorators) or _has_messages(cls):
            yield from _of_gateway(module, cls)
    for func in module.funcs:
        for decorator in func.decorators:
            yield from _decorated(project, values, module, func, decorator)
    for call in module.calls:
        if isinstance(call.func, Member):
            yield from _registered(project, values, module, call, call.func)
        elif route := route_parts(call):
            target = as_function(project, route[1])
            if target is not None:
                yield Handler(target, module, "event", event_name(route[0]), call), [*route[2].roles]


def _has_messages(cls: Class) -> bool:
    methods = (part for part in cls.body if isinstance(part, Func))
    return any(last_name(decorator) == "SubscribeMessage" for part in methods for decorator in part.decorators)


def _of_gateway(module: Module, cls: Class) -> Iterator[tuple[Handler, list[Tag]]]:
    for part in cls.body:
        if not isinstance(part, Func):
            continue
        if part.name == "handleConnection":
            yield Handler(part, module, "connect", "connection", part), [Tag.SOCKET]
        elif part.name == "handleDisconnect":
            yield Handler(part, module, "disconnect", "disconnect", part), [Tag.SOCKET]
        for decorator in part.decorators:
            if last_name(decorator) == "SubscribeMessage":
                event = event_name(decorator.args[0]) if isinstance(decorator, Call) and decorator.args else ""
                yield Handler(part, module, "event", event, part), _nest_roles(part)


def _nest_roles(func: Func) -> list[Tag]:
    by_decorator = {"ConnectedSocket": Tag.SOCKET, "MessageBody": Tag.CLIENT, "Ack": Tag.NONE}
    roles = []
    for place, param in enumerate(func.params):
        # any other decorator is the project's own, such as @CurrentUser()
        marks = [by_decorator.get(name, Tag.USER) for name in map(last_name, param.decorators)]
        default = Tag.SOCKET if "Socket" in param.type or (place == 0 and len(func.params) > 1) else Tag.CLIENT
        roles.append(marks[0] if marks else default)
    return roles


def _of_namespace(project: Project, module: Module, cls: Class) -> Iterator[tuple[Handler, list[Tag]]]:
    flask = any("flask" in base for base in bases_of(project, cls))
    for part in cls.body:
        if isinstance(part, Func) and part.name.startswith("on_"):
            event = part.name.removeprefix("on_")
            yield Handler(part, module, kind_of(event), event, part), python_roles(event, part, flask)


def python_roles(event: str, func: Func, flask: bool) -> list[Tag]:
    """Return what is known of each parameter of a Python handler. If `flask` is True, none of them is a socket id."""
    if flask:
        return [Tag.HANDSHAKE if event == "connect" else Tag.CLIENT] * len(func.params)
    rest = {"connect": Tag.HANDSHAKE, "disconnect": Tag.NONE}.get(event, Tag.CLIENT)
    return [Tag.SID] + [rest] * len(func.params)


def kind_of(event: str) -> str:
    """Return the kind of an event's handler: "connect", "disconnect" or "event"."""
    return "connect" if event in CONNECT else "disconnect" if event in DISCONNECT else "event"


def event_name(expr: Node) -> str:
    """Return the event name that the expression `expr` stands for.

    For a constant such as `Events.JOIN`, the result is "JOIN". For code such as `name()`, it is "".
    """
    match expr:
        case Const(value=str(text)):
            return text
        case Member() | Name():
            return expr.name
        case Text():
            return "".join(str(getattr(part, "value", "")) for part in expr.parts)
    return ""


def _decorated(
    project: Project, values: Values, module: Module, func: Func, decorator: Node
) -> Iterator[tuple[Handler, list[Tag]]]:
    call = decorator.func if isinstance(decorator, Call) else decorator
    if not isinstance(call, Member) or call.name not in ("on", "event", "on_event") or module.source.language != "py":
        return
    if Tag.SERVER not in values.of(call.obj):
        return
    named = isinstance(decorator, Call) and decorator.args and call.name != "event"
    event = event_name(decorator.args[0]) if named and isinstance(decorator, Call) else func.name
    yield Handler(func, module, kind_of(event), event, func), python_roles(event, func, is_flask(project, call.obj))


def _registered(
    project: Project, values: Values, module: Module, call: Call, func: Member
) -> Iterator[tuple[Handler, list[Tag]]]:
    if func.name == "use" and call.args and values.of(func.obj) & (Tag.SERVER | Tag.SOCKET):
        target = as_function(project, call.args[0])
        if target is not None and Tag.SERVER in values.of(func.obj):
            yield Handler(target, module, "middleware", "use", call), [Tag.SOCKET]
        elif target is not None:
            yield Handler(target, module, "middleware", "use", call), [Tag.CLIENT]
        return
    if func.name == "onAny" and call.args and Tag.SOCKET in values.of(func.obj):
        target = as_function(project, call.args[0])
        if target is not None:
            yield Handler(target, module, "event", "", call), [Tag.CLIENT] * max(1, len(target.params))
        return
    given = [*call.args, *(value for name, value in call.keywords if name == "handler")]
    if func.name not in REGISTER or len(given) < 2:
        return
    tags = values.of(func.obj)
    target = as_function(project, given[1])
    found = [(event_name(call.args[0]), target)] if target is not None else functions_of(project, given[1])
    for event, handling in found:
        lower = event.lower()
        if event in INTERNAL:
            continue
        if module.source.language == "py" and Tag.SERVER in tags:
            roles = python_roles(event, handling, is_flask(project, func.obj))
            yield Handler(handling, module, kind_of(event), event, call), roles
        elif Tag.SERVER in tags and lower in CONNECT:
            yield Handler(handling, module, "connect", event, call), [Tag.SOCKET]
        elif Tag.SOCKET in tags:
            kind = kind_of(lower)
            roles = [Tag.NONE] if kind == "disconnect" else [Tag.CLIENT] * max(1, len(handling.params))
            yield Handler(handling, module, kind, event, call), roles
