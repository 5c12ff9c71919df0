"""What the code of a project does with sockets, ids and rooms."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lab.check.actions import Actions, Emit, Move, find_actions
from lab.check.collect import collect
from lab.check.handlers import Handler, Handlers, find_handlers
from lab.check.ir import (
    Await,
    Call,
    Class,
    Const,
    Func,
    Index,
    Member,
    Name,
    Node,
    Op,
    Return,
    Source,
    Spread,
    Text,
)
from lab.check.ir import Sequence as ListOf
from lab.check.load import Progress, load, no_garbage_collection
from lab.check.places import as_function, place_of
from lab.check.project import Project
from lab.check.scopes import EACH, Module, Variable, enclosing, function_of, lookup
from lab.check.servers import Server, find_servers
from lab.check.tags import CLAIMED, PLAIN, Dialect, Tag
from lab.check.values import Values

# names of variables and fields that hold the id of a socket
SID_NAME = re.compile(
    r"(^|_|[a-z])(socket|client|connection|conn)_?ids?$|^sids?$|_sids?$|[a-z](Sid|SID|SocketIDs?)s?$", re.I
)
NO_SID = re.compile(r"^(client|connection|conn)_?ids?$", re.I)


@dataclass(eq=False)
class Facts:
    """Answers of the analysis, which the rules read."""

    project: Project
    values: Values
    handlers: Handlers
    actions: Actions
    servers: list[Server]
    # files that could not be read or parsed, with the reason
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    # kinds of handlers that verify the client, once `identity.verifies` has looked
    verified_in: set[str] = field(default_factory=set)
    # number of files that were looked at
    files: int = 0

    @classmethod
    def of(cls, paths: Sequence[Path], progress: Progress = lambda *_: None) -> "Facts":
        """Read, parse and analyse the source files below some paths.

        Raises `UsageError` if a path cannot be read.
        """
        with no_garbage_collection():
            loaded = load(paths, progress)
            project, values = loaded.project, Values(loaded.project)
            done: set[str] = set()
            # an import that is followed may load another module
            while waiting := [module for path, module in list(project.modules.items()) if path not in done]:
                for module in waiting:
                    done.add(module.path)
                    collect(project, values, module)
            handlers = find_handlers(project, values)
            actions, servers = find_actions(project, values), find_servers(project)
        # an import that was followed may have shown another file that cannot be parsed
        return cls(project, values, handlers, actions, servers, sorted(loaded.unreadable), files=loaded.files)

    @property
    def sources(self) -> Mapping[str, Source]:
        """The parsed files, by path."""
        return {path: module.source for path, module in self.project.modules.items()}

    @property
    def modules(self) -> Sequence[Module]:
        """The parsed files with their scopes."""
        return list(self.project.modules.values())

    @property
    def concerned(self) -> bool:
        """Whether there is a Socket.IO server at all."""
        return bool(self.servers or self.handlers.all or self.actions.emits)

    def nodes(self, *kinds: type[Node]) -> Iterator[tuple[Module, Node]]:
        """Yield all nodes of these kinds with their module."""
        for module in self.modules:
            for statement in module.source.body:
                for node in statement.walk():
                    if isinstance(node, kinds):
                        yield module, node

    # --- places ---

    def path_of(self, node: Node) -> str:
        """Return the path of the file that a node stands in."""
        return self.project.module_of(node).path

    def function_at(self, node: Node) -> str:
        """Return the names of the classes and functions around a node, joined by dots."""
        around = [part.name for part in enclosing(node, Func, Class) if isinstance(part, (Func, Class)) and part.name]
        return ".".join(reversed(around))

    def dialect(self, path: str) -> Dialect:
        """Return the API that a file uses."""
        module = self.project.modules[path]
        sources = {variable.imported[0] for variable in module.names.values() if variable.imported}
        if module.source.language == "py":
            if "flask_socketio" in sources:
                return "flask"
            return "flask" if self._flask and "socketio" not in sources else "python-socketio"
        nest = any(source.startswith("@nestjs/") for source in sources)
        return "nest" if nest else "node"

    @cached_property
    def _flask(self) -> bool:
        return any(
            variable.imported is not None and variable.imported[0] == "flask_socketio"
            for module in self.modules
            for variable in module.names.values()
        )

    # --- handlers ---

    def handlers_at(self, node: Node, *kinds: str) -> list[Handler]:
        """Return the handlers that run a node, of these kinds if any are given."""
        return [handler for handler in self.handlers.of(node) if not kinds or handler.kind in kinds]

    def always(self, node: Node, *kinds: str) -> bool:
        """Tell whether a node runs in handlers, and only in these kinds."""
        found = self.handlers.of(node)
        return bool(found) and all(handler.kind in kinds for handler in found)

    @cached_property
    def events(self) -> list[Handler]:
        """Handlers of what clients send."""
        return [handler for handler in self.handlers.all if handler.kind == "event"]

    # --- values ---

    def is_claimed(self, expr: Node) -> bool:
        """Tell whether a value was chosen by the client alone: in an event or in the handshake."""
        tags = self.values.of(expr)
        return bool(tags & CLAIMED) and not tags & Tag.USER

    def is_client(self, expr: Node) -> bool:
        """Tell whether a value was sent in an event."""
        tags = self.values.of(expr)
        return Tag.CLIENT in tags

    def is_own_id(self, expr: Node) -> bool:
        """Tell whether a value is the id of the handler's own socket."""
        tags = self.values.of(expr)
        return Tag.SID in tags and not tags & (Tag.IDS | Tag.STORED)

    def is_stored_id(self, expr: Node) -> bool:
        """Tell whether a value is the id of a socket that was kept: by where it comes from, or by its name."""
        tags = self.values.of(expr)
        if Tag.IDS in tags:
            # a parameter that gets both is mostly the handler's own
            return Tag.SID not in tags
        if tags & (Tag.SID | Tag.SERVER) or self._is_of_request(expr):
            return False
        return self.named_as_id(expr)

    def _is_of_request(self, expr: Node) -> bool:
        """Tell whether a helper takes the id from Flask's request: `sid(request)`."""
        return isinstance(expr, Call) and any(self.project.outside(arg) == "flask.request" for arg in expr.args)

    def named_as_id(self, expr: Node) -> bool:
        """Tell whether a variable, field or key has the name of a socket's id."""
        match expr:
            case Name(name=name) | Member(name=name):
                return bool(SID_NAME.search(name)) and not NO_SID.match(name)
            case Index(obj=obj, key=key):
                text = str(getattr(key, "value", ""))
                return bool(SID_NAME.search(text)) or (not text and self.named_as_id(obj))
            case Call(func=Member(obj=obj, name="get"), args=[key, *_]):
                text = str(getattr(key, "value", ""))
                return bool(text and SID_NAME.search(text)) or self.named_as_id(obj)
            case Call(func=(Name(name=name) | Member(name=name))):
                return bool(re.search(r"(socket|sock)_?id$|(^|_)sid$|Sid$", name, re.I))
        return False

    def outlives(self, place: Node, handler: Func | None) -> bool:
        """Tell whether a collection is kept after the handler ends, and is not one connection's own."""
        found = place_of(self.project, place)
        if found is None:
            return False
        owner = found.owner
        if owner is None:
            return True
        if self.handlers.of(owner):
            return False
        return handler is None or owner in enclosing(handler, Func)

    def keeps(self, place: Node) -> bool:
        """Tell whether an expression is a collection of the program that outlives the handlers."""
        return self.outlives(place, None)

    def from_library(self, socket: Node) -> bool:
        """Tell whether a socket comes from the library's collection, and from none of the program."""
        found = place_of(self.project, socket)
        return found is None or found not in self.values.contents

    def assigned(self, name: Name) -> list[Node]:
        """Return everything that a variable is assigned as a whole."""
        variable = lookup(self.project.module_of(name), name, name.name)
        return [value for value, path in variable.values if not path] if variable is not None else []

    def parameter(self, expr: Node) -> Variable | None:
        """Return the parameter that a name means, or None."""
        variable = lookup(self.project.module_of(expr), expr, expr.name) if isinstance(expr, Name) else None
        return variable if variable is not None and variable.param is not None and not variable.path else None

    def arguments(self, param: Variable) -> list[Node]:
        """Return what the known calls of a function pass for one of its parameters."""
        func = param.owner
        if func is None or param.param is None:
            return []
        place = func.params.index(param.param)
        found = []
        for call in self.values.callers.get(id(func), []):
            found += [value for keyword, value in call.keywords if keyword == param.name]
            found += call.args[place : place + 1]
        return found

    def follow(self, expr: Node, steps: int = 6) -> Node:
        """Return what a variable was assigned, if it is one value in the same function or module."""
        while steps and isinstance(expr, Name):
            variable = lookup(self.project.module_of(expr), expr, expr.name)
            if variable is None or variable.param is not None or len(variable.values) != 1 or variable.values[0][1]:
                return expr
            expr, steps = variable.values[0][0], steps - 1
        return expr

    def element_of(self, name: Name) -> Node | None:
        """Return the collection whose elements a loop variable or a parameter of `forEach` stands for, or None."""
        variable = lookup(self.project.module_of(name), name, name.name)
        if variable is not None and len(variable.values) == 1 and variable.values[0][1] == EACH:
            return variable.values[0][0]
        if variable is None or variable.param is None or variable.owner is None:
            return None
        source = self.values.each.get(id(variable.owner))
        return source[0] if source is not None else None

    # --- rooms ---

    def is_own_rooms(self, expr: Node) -> bool:
        """Tell whether a Python call gives the rooms of the handler's socket: `rooms()`, `sio.rooms(sid)`."""
        if not isinstance(expr, Call):
            return False
        if self.project.outside(expr.func) == "flask_socketio.rooms":
            return True
        named = isinstance(expr.func, Member) and expr.func.name in ("rooms", "get_rooms")
        return named and Tag.SERVER in self.values.of(getattr(expr.func, "obj", None))

    def shape(self, room: Node) -> str | None:
        """Return the fixed parts of a room's name with `*` for the rest: "user:*", "*"; None if it is not known."""
        found = self.follow(room)
        match found:
            case Const(value=str(text)):
                return text
            case Text():
                return "".join(str(part.value) if isinstance(part, Const) else "*" for part in found.parts)
            case Member() | Index() | Name():
                meant = self.project.meaning(found)
                if isinstance(meant, (Const, Text)):
                    return self.shape(meant)
                return "*"
            case Call(func=Member(name=name)) if PLAIN.match(name):
                return "*"
            case Call():
                shapes = {self.shape(value) for func in self.project.callees(found) for value in returned(func)}
                return shapes.pop() if len(shapes) == 1 else None
        return None

    @cached_property
    def joins(self) -> list[tuple[Move, Node]]:
        """Each join with each of its rooms. A list of rooms counts as its elements, as far as they are known."""
        return [(move, part) for move in self.actions.joins for room in move.rooms for part in self.parts(room)]

    def parts(self, room: Node, steps: int = 4) -> list[Node]:
        """Return the rooms that an expression stands for: the elements of a list, or the expression itself."""
        found = self.follow(room)
        if isinstance(found, Await | Spread):
            found = found.value
        items = [*found.items] if isinstance(found, ListOf) else []
        if isinstance(found, Op) and found.op in ("||", "??"):
            items = [part for part in found.operands if not (isinstance(part, ListOf) and not part.items)]
        if isinstance(found, Call) and isinstance(found.func, Member) and found.func.name == "map" and found.args:
            func = as_function(self.project, found.args[0])
            items = returned(func) if func is not None else []
        made = isinstance(found, ListOf) or bool(items)
        place = place_of(self.project, room) if isinstance(room, Name) and made else None
        items += [value for _, value, _ in self.values.contents.get(place, [])] if place is not None else []
        if not items or not steps:
            return [room]
        return [part for item in items for part in self.parts(item, steps - 1)]

    def emits_to_rooms(self) -> Iterator[tuple[Emit, Node]]:
        """Yield each emit that aims at rooms, with each of its rooms."""
        for emit in self.actions.emits:
            for room in emit.rooms:
                yield from ((emit, part) for part in self.parts(room))


def returned(func: Func) -> list[Node]:
    """Return the values that a function returns."""
    nodes = (node for statement in func.body for node in statement.walk())
    return [
        node.value
        for node in nodes
        if isinstance(node, Return) and node.value is not None and function_of(node) is func
    ]
