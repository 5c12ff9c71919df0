"""Collects what the checked code does with sockets, ids and rooms."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

from lab.check import flow
from lab.check.actions import Actions, find_actions
from lab.check.collect import collect
from lab.check.dialects import Dialect, dialect_of
from lab.check.handlers import Handler, Handlers, find_handlers
from lab.check.ir import Await, Call, Class, Func, Member, Name, Node, Source
from lab.check.load import Progress, load, no_garbage_collection
from lab.check.names import is_id_name
from lab.check.places import place_of
from lab.check.project import Project
from lab.check.rooms import Rooms
from lab.check.scopes import Module, Variable, enclosing
from lab.check.servers import Server, find_servers
from lab.check.tags import CLAIMED, Tag
from lab.check.values import Values

Answer = TypeVar("Answer")


@dataclass(eq=False)
class Facts:
    """What the checker found out about the checked code. The rules search these facts for mistakes."""

    project: Project
    values: Values
    handlers: Handlers
    actions: Actions
    servers: list[Server]
    # files that could not be read or parsed, with the reason
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    # number of files that were looked at
    files: int = 0
    _nodes: dict[tuple[type[Node], ...], list[tuple[Module, Node]]] = field(default_factory=dict)
    _answers: dict[Callable[["Facts"], Any], Any] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: Sequence[Path], progress: Progress = lambda *_: None) -> "Facts":
        """Read, parse and analyse the source files below some paths.

        `progress` gets two counts: files that are done, and all files. Raises `UsageError` if a path cannot be read.
        """
        with no_garbage_collection():
            loaded = load(paths, progress)
            project, values = loaded.project, Values(loaded.project)
            done: set[str] = set()
            # an import that is followed may load another module
            while waiting := [module for path, module in project.modules.items() if path not in done]:
                for module in waiting:
                    done.add(module.path)
                    collect(project, values.uses, module)
            handlers = find_handlers(project, values)
            actions, servers = find_actions(project, values), find_servers(project)
        # an import that was followed may have shown another file that cannot be parsed
        return cls(project, values, handlers, actions, servers, sorted(set(loaded.unreadable)), files=loaded.files)

    @property
    def sources(self) -> Mapping[str, Source]:
        """The parsed files, by path."""
        return {path: module.source for path, module in self.project.modules.items()}

    @property
    def modules(self) -> Sequence[Module]:
        """The parsed files, with the scopes of their variables."""
        return list(self.project.modules.values())

    @property
    def concerned(self) -> bool:
        """Whether the project has a Socket.IO server, a handler or an emit."""
        return bool(self.servers or self.handlers.all or self.actions.emits)

    def nodes(self, *kinds: type[Node]) -> Iterable[tuple[Module, Node]]:
        """Return all syntax-tree nodes of these classes, each with its file."""
        if kinds not in self._nodes:
            self._nodes[kinds] = [
                (module, node) for module in self.modules for node in module.nodes if isinstance(node, kinds)
            ]
        return self._nodes[kinds]

    @cached_property
    def calls(self) -> list[tuple[Module, Call]]:
        """All calls in the project, each with its module."""
        return [(module, call) for module in self.modules for call in module.calls]

    def once(self, question: Callable[["Facts"], Answer]) -> Answer:
        """Return `question(self)`; it is computed the first time and then remembered."""
        if question not in self._answers:
            self._answers[question] = question(self)
        return cast(Answer, self._answers[question])

    # --- places ---

    def path_of(self, node: Node) -> str:
        """Return the path of the file that contains a syntax-tree node."""
        return self.project.module_of(node).path

    def function_at(self, node: Node) -> str:
        """Return the names of the classes and functions around a syntax-tree node.

        The names are joined by dots, as in "ChatGateway.join".
        """
        around = [part.name for part in enclosing(node, Func, Class) if isinstance(part, (Func, Class)) and part.name]
        return ".".join(reversed(around))

    def dialect(self, path: str) -> Dialect:
        """Return the Socket.IO API that a file uses."""
        return dialect_of(self.project.modules[path], is_flask_project=self._is_flask)

    @cached_property
    def _is_flask(self) -> bool:
        return "flask_socketio" in self.project.imported_sources

    # --- handlers ---

    def handlers_at(self, node: Node, *kinds: str) -> list[Handler]:
        """Return the handlers that run the code `node`, directly or through calls.

        If `kinds` are given (such as "connect" or "event"), only handlers of these kinds are returned.
        """
        return [handler for handler in self.handlers.of(node) if not kinds or handler.kind in kinds]

    def always(self, node: Node, *kinds: str) -> bool:
        """Tell whether only handlers of these kinds run the code `node`.

        The result is False if no handler runs this code. A kind is, for example, "connect" or "event".
        """
        found = self.handlers.of(node)
        return bool(found) and all(handler.kind in kinds for handler in found)

    @cached_property
    def events(self) -> list[Handler]:
        """The handlers of events that clients send."""
        return [handler for handler in self.handlers.all if handler.kind == "event"]

    def handler_function(self, node: Node) -> Func | None:
        """Return the innermost handler around `node`. Without one, return the innermost function there, or None."""
        around = [func for func in enclosing(node, Func) if isinstance(func, Func)]
        return next((func for func in around if self.is_handler(func)), around[0] if around else None)

    def is_handler(self, func: Func) -> bool:
        """Tell whether `func` is a handler, not only called by a handler."""
        return id(func) in self._handling

    @cached_property
    def _handling(self) -> set[int]:
        return {id(handler.func) for handler in self.handlers.all}

    # --- values ---

    def is_client(self, expr: Node) -> bool:
        """Tell whether the value of `expr` comes from a client's event."""
        return Tag.CLIENT in self.values.of(expr)

    def is_named_by_client(self, room: Node) -> bool:
        """Tell whether the client alone decides the name of `room`.

        Fixed text in the name does not matter. A part that the server stored or verified makes the result False.
        """
        tags = self.values.of(room)
        return bool(tags & CLAIMED) and not tags & (Tag.USER | Tag.STORED | Tag.SID | Tag.IDS)

    def is_own_id(self, expr: Node) -> bool:
        """Tell whether `expr` is the id of the handler's own socket."""
        tags = self.values.of(expr)
        return Tag.SID in tags and not tags & (Tag.IDS | Tag.STORED)

    def is_stored_id(self, expr: Node) -> bool:
        """Tell whether `expr` is a socket id that the checked code stored.

        The value's origin decides. If it is unknown, the name of `expr`, or of the list that contains it, decides.
        """
        tags = self.values.of(expr)
        if tags & (Tag.SID | Tag.SERVER | Tag.IDS):
            # a parameter that gets both is mostly the handler's own
            return Tag.IDS in tags and Tag.SID not in tags
        is_named = is_id_name(expr) or is_id_name(self.made(expr))
        return is_named or flow.is_of_id_list(self.project, self.values.uses, expr)

    def is_own_rooms(self, expr: Node) -> bool:
        """Tell whether `expr` returns the rooms of the handler's own socket.

        Such Python calls are `rooms()` of Flask-SocketIO and `sio.rooms(sid)`.
        """
        if not isinstance(expr, Call):
            return False
        if self.project.outside(expr.func) == "flask_socketio.rooms":
            return True
        method = expr.func if isinstance(expr.func, Member) and expr.func.name in ("rooms", "get_rooms") else None
        return method is not None and Tag.SERVER in self.values.of(method.obj)

    def outlives(self, place: Node, handler: Func | None) -> bool:
        """Tell whether the collection `place` is kept after `handler` ends.

        A collection that a handler's code creates is not kept. If `handler` is None, the question is about any handler.
        """
        found = place_of(self.project, place)
        if found is None:
            return False
        owner = found.owner
        if owner is None:
            return True
        if self.handlers.of(owner):
            return flow.is_given_kept(self.project, self.values.uses, place)
        return handler is None or owner in enclosing(handler, Func)

    def keeps(self, place: Node) -> bool:
        """Tell whether `place` is a collection that is kept after handlers end."""
        return self.outlives(place, None)

    def assigned(self, name: Name) -> list[Node]:
        """Return all values that the code assigns directly to a variable.

        `name` is the variable. Destructuring assignments, such as `const {a} = x`, are left out.
        """
        variable = flow.variable_of(self.project, name)
        return [value for value, path in variable.values if not path] if variable is not None else []

    def parameter(self, expr: Node) -> Variable | None:
        """Return the function parameter that `expr` names, or None."""
        variable = flow.variable_of(self.project, expr)
        return variable if variable is not None and variable.param is not None and not variable.path else None

    def arguments(self, param: Variable) -> list[Node]:
        """Return the arguments that calls in the project pass for `param`."""
        return flow.arguments(self.values.uses, param)

    def element_source(self, name: Name) -> Node | None:
        """Return the collection over which the code loops with `name`, or None.

        For `users.forEach((user) => …)`, the result is `users`. For `promise.then((user) => …)`, it is `promise`.
        """
        return flow.element_source(self.project, self.values.uses, name)

    def follow(self, expr: Node) -> Node:
        """Return what the variable `expr` was assigned, or else `expr` itself.

        The assigned value is returned only if the variable is not a parameter and is assigned once, directly. A
        destructuring assignment such as `const {a} = x` is not direct.
        """
        return flow.follow(self.project, expr)

    def made(self, expr: Node) -> Node:
        """Return what the variable `expr` was assigned, without a leading `await`.

        If `follow` returns `await x`, the result is `x`. Otherwise the result is what `follow` returns.
        """
        found = self.follow(expr)
        return found.value if isinstance(found, Await) else found

    @cached_property
    def rooms(self) -> Rooms:
        """The rooms that calls of `join` and `emit` name."""
        return Rooms(self.project, self.values.uses, self.actions)
