"""What a value is: a server, a socket, an id, a client's word, a verified identity."""

import re
from dataclasses import dataclass, field

from lab.check.ir import (
    Assign,
    Await,
    Call,
    Class,
    Const,
    Field,
    Func,
    Index,
    Member,
    Name,
    Node,
    Op,
    Param,
    Record,
    Return,
    Spread,
    Text,
    This,
)
from lab.check.ir import Sequence as ListOf
from lab.check.places import Place, place_of
from lab.check.project import Project
from lab.check.scopes import Path, Variable, class_of, field_type, function_of, lookup
from lab.check.tags import (
    CLAIMED,
    CONVERTERS,
    DATA,
    FLASK_STATE,
    FORMS,
    NAMESPACE_BASES,
    PLAIN,
    READERS,
    SERVER_CHAIN,
    SERVER_GETTERS,
    SERVER_MAKERS,
    SERVER_NAMES,
    SERVER_TYPE,
    SOCKET_CHAIN,
    SOCKET_TYPE,
    SOCKETS_TYPE,
    STATE_FIELDS,
    VERIFIERS,
    Tag,
)

DEEPEST = 60  # questions that may be open at once


def is_nested(write: Node) -> bool:
    """Tell whether a write goes into an entry of a collection: `rooms[name].add(id)`, `rooms.get(name).add(id)`."""
    match write:
        case Call(func=Member(obj=obj)) | Assign(target=Member(obj=obj) | Index(obj=obj)):
            return isinstance(obj, Index | Call)
    return False


def is_injected_server(cls: Class, name: str) -> bool:
    """Tell whether a field of a Nest gateway has the decorator `@WebSocketServer()`."""
    marks = (mark for part in cls.body if isinstance(part, Field) and part.name == name for mark in part.decorators)
    return any(getattr(getattr(mark, "func", mark), "name", "") == "WebSocketServer" for mark in marks)


@dataclass(eq=False)
class Values:
    """Tags of expressions. `roles` gives tags of parameters that a library calls back."""

    project: Project
    # tags of the parameters of a function that is registered as a handler, by position
    roles: dict[int, list[Tag]] = field(default_factory=dict)
    # calls of each function of the project
    callers: dict[int, list[Call]] = field(default_factory=dict)
    # functions that run for each element of a value, or (True) with what a promise gives
    each: dict[int, tuple[Node, bool]] = field(default_factory=dict)
    # arguments with which a function is started later, as a task or a thread
    later: dict[int, list[list[Node]]] = field(default_factory=dict)
    # objects and values of `object.name = value`, by name
    on_field: dict[str, list[tuple[Node, Node]]] = field(default_factory=dict)
    # key (or None), value and statement of each write to a collection
    contents: dict[Place, list[tuple[Node | None, Node, Node]]] = field(default_factory=dict)
    _known: dict[int, Tag] = field(default_factory=dict)
    _open: set[int] = field(default_factory=set)
    # answers of the last round: a question that is still open gives the one it had then
    _before: dict[int, Tag] = field(default_factory=dict)

    def forget(self) -> None:
        """Begin another round, because a role or a caller is new."""
        self._before, self._known = self._known, {}

    def of(self, expr: Node | None) -> Tag:
        """Return the tags of an expression."""
        if expr is None:
            return Tag.NONE
        if id(expr) in self._known:
            return self._known[id(expr)]
        if id(expr) in self._open or len(self._open) > DEEPEST:
            return self._before.get(id(expr), Tag.NONE)
        self._open.add(id(expr))
        try:
            found = self._find(expr)
        finally:
            self._open.discard(id(expr))
        self._known[id(expr)] = found
        return found

    def all_of(self, exprs: list[Node]) -> Tag:
        """Return the tags of all expressions together."""
        found = Tag.NONE
        for expr in exprs:
            found |= self.of(expr)
        return found

    def _find(self, expr: Node) -> Tag:
        match expr:
            case Await() | Spread():
                return self.of(expr.value)
            case Name():
                return self._name(expr)
            case This():
                cls = class_of(expr)
                return Tag.SERVER if cls and self.is_namespace(cls) else Tag.NONE
            case Member():
                return self._member(expr)
            case Index():
                found = self._step(self.of(expr.obj), str(getattr(expr.key, "value", "")), expr)
                return found | self.held(expr.obj) | self._place_of_sockets(expr)
            case Call():
                return self._call(expr)
            case Text():
                return self.all_of(expr.parts) & (CLAIMED | Tag.USER | Tag.STORED)
            case Op(op="?:", operands=[_, *rest]):
                return self.all_of(rest)
            case Op(op="||" | "&&" | "??" | "+"):
                return self.all_of(expr.operands)
            case ListOf():
                return self.all_of(expr.items) & DATA
            case Record():
                return self.all_of([value for _, value in expr.items]) & (CLAIMED | Tag.USER)
            case Assign():
                return self.of(expr.value)
        return Tag.NONE

    def is_namespace(self, cls: Class) -> bool:
        """Tell whether a class is a namespace of python-socketio or Flask-SocketIO."""
        return any(NAMESPACE_BASES.search(self.project.outside(base)) for base in cls.bases)

    # --- names ---

    def _name(self, expr: Name) -> Tag:
        variable = lookup(self.project.module_of(expr), expr, expr.name)
        if expr.name in ("session", "current_user", "g") and self.project.outside(expr) in FLASK_STATE:
            return Tag.USER
        if variable is None:
            return Tag.SERVER if SERVER_NAMES.match(expr.name) else Tag.NONE
        return self.variable(variable)

    def variable(self, variable: Variable) -> Tag:
        """Return the tags of everything that a variable may hold."""
        if id(variable) in self._known:
            return self._known[id(variable)]
        if id(variable) in self._open:
            return self._before.get(id(variable), Tag.NONE)
        self._open.add(id(variable))
        try:
            found = self._variable(variable)
        finally:
            self._open.discard(id(variable))
        self._known[id(variable)] = found
        return found

    def _variable(self, variable: Variable) -> Tag:
        found = Tag.NONE
        if variable.param is not None and variable.owner is not None:
            found |= self._along(self.param(variable.owner, variable.param), variable.path, variable.param)
        if variable.imported is not None:
            if self.project.outside_import(variable):
                return (
                    Tag.SERVER if re.match(r"(s?io|socketio)$", variable.name) and self._is_far(variable) else Tag.NONE
                )
            meant = self.project.meaning(variable)
            if isinstance(meant, Variable) and meant is not variable:
                found |= self.variable(meant)
            elif isinstance(meant, Node):
                found |= self.of(meant)
            if not found and SERVER_NAMES.match(variable.name):
                found |= Tag.SERVER
        for value, path in variable.values:
            found |= self._along(self.of(value), path, value)
        if (
            not found
            and SERVER_NAMES.match(variable.name)
            and not isinstance(self.project.meaning(variable), (Func, Class))
        ):
            found |= Tag.SERVER
        return found

    def _is_far(self, variable: Variable) -> bool:
        """Tell whether an import that no file explains may be a server: a file outside the check, not a package."""
        return variable.imported is not None and variable.imported[0].startswith((".", "@/", "~/", "app"))

    def param(self, func: Func, param: Param) -> Tag:
        """Return the tags of a parameter, from its type, its role and the arguments of all calls."""
        place = func.params.index(param)
        found = self._typed(param)
        roles = self.roles.get(id(func), [])
        if place < len(roles):
            found |= roles[place]
        elif roles and param.rest:
            found |= roles[-1]
        if place == 0 and id(func) in self.each:
            source, promise = self.each[id(func)]
            found |= self.of(source) if promise else self._along(self.of(source), (("item",),), source)
        for call in self.callers.get(id(func), []):
            found |= self.argument(call, func, place, param)
        for given in self.later.get(id(func), []):
            found |= self.of(given[place]) if place < len(given) else Tag.NONE
        return found

    def held(self, collection: Node, part: str = "values") -> Tag:
        """Return the tags of what is read from a collection: its "values", its "keys", or by iterating ("each")."""
        place = place_of(self.project, collection)
        found = Tag.SOCKET | Tag.STORED | Tag.KEPT if SOCKETS_TYPE.search(self._type_of(collection)) else Tag.NONE
        whole = isinstance(collection, Name | Member)
        for key, value, write in self.contents.get(place, []) if place else ():
            # what is put into an entry of a collection is no element of the collection itself
            inner = whole and key is None and is_nested(write)
            found |= Tag.STORED | Tag.KEPT
            if part != "keys" and not (inner and part == "each"):
                found |= self.of(value) & Tag.SOCKET
                if Tag.SID in self.of(value) and (key is None or part != "each"):
                    found |= Tag.IDS
            if part != "values" and Tag.SID in self.of(key):
                found |= Tag.IDS
        return found

    def _type_of(self, expr: Node) -> str:
        """Return the written type of a field, or ""."""
        cls = class_of(expr) if isinstance(expr, Member) and isinstance(expr.obj, This) else None
        return field_type(cls, expr.name) if cls is not None and isinstance(expr, Member) else ""

    def holds_in(self, collection: Node, name: str) -> bool:
        """Tell whether records in a collection have the id of a socket in the field `name`."""
        place = place_of(self.project, collection)
        records = (value for _, value, _ in self.contents.get(place, [])) if place else ()
        return any(
            isinstance(record, Record)
            and any(getattr(key, "value", None) == name and Tag.SID in self.of(value) for key, value in record.items)
            for record in records
        )

    def argument(self, call: Call, func: Func, place: int, param: Param) -> Tag:
        """Return the tags of the argument that a call gives to a parameter."""
        name = getattr(param.target, "name", "")
        for keyword, value in call.keywords:
            if keyword == name:
                return self.of(value)
        return self.of(call.args[place]) if place < len(call.args) else Tag.NONE

    def _typed(self, param: Param) -> Tag:
        if SERVER_TYPE.search(param.type):
            return Tag.SERVER
        if SOCKET_TYPE.match(param.type) and not re.search(r"WebSocket|SocketServer|SocketIO$", param.type):
            return Tag.SOCKET
        return Tag.NONE

    # --- steps into a value ---

    def _along(self, tags: Tag, path: Path, place: Node) -> Tag:
        for number, step in enumerate(path):
            tags = self._step(tags, step[1] if step[0] == "field" else "", place)
            if number == 0 and step[0] != "field":
                tags |= self.held(place, "each")
        return tags

    def _step(self, tags: Tag, name: str, place: Node) -> Tag:
        """Return the tags of a field of a value that has `tags`."""
        found = tags & (CLAIMED | Tag.USER | Tag.STORED)
        if not name:  # an element
            found |= tags & (Tag.IDS | Tag.KEPT | (Tag.SOCKET if Tag.KEPT in tags else Tag.NONE))
        if Tag.SOCKETS in tags and name == "sockets":
            return Tag.SOCKETS
        if Tag.SOCKETS in tags:
            found |= Tag.SOCKET | Tag.STORED
        if Tag.SOCKET in tags:
            found |= self._of_socket(name, tags)
        if Tag.SERVER in tags:
            if name in SERVER_CHAIN or not name:
                found |= Tag.SERVER
            if name in ("sockets", "connected"):
                found |= Tag.SOCKETS
        return found

    def _of_socket(self, name: str, tags: Tag) -> Tag:
        if name in ("id", "sid"):
            return Tag.SID | (tags & Tag.STORED)
        if name == "handshake":
            return Tag.HANDSHAKE
        if name in SOCKET_CHAIN:
            return Tag.SOCKET
        if name in ("server", "nsp"):
            return Tag.SERVER
        written = Tag.NONE
        for obj, value in self.on_field.get(name, []):
            if Tag.SOCKET in self.of(obj):
                written |= self.of(value) & (CLAIMED | Tag.USER | Tag.STORED)
        if written:
            return written
        return Tag.USER if STATE_FIELDS.match(name) else Tag.NONE

    def _member(self, expr: Member) -> Tag:
        if isinstance(expr.obj, This) or self.of(expr.obj) == Tag.NONE:
            found = self._field(expr)
            if found:
                return found
        base = self.of(expr.obj)
        if Tag.SERVER in base and expr.name == "sockets" and self._is_sockets(expr.obj):
            return Tag.SOCKETS
        found = self._step(base, expr.name, expr)
        if Tag.SOCKET not in base and self.holds_in(expr.obj, expr.name):
            found |= Tag.IDS | Tag.STORED
        if not base and SERVER_NAMES.match(expr.name):
            return Tag.SERVER
        outside = self.project.outside(expr)
        if outside == "flask.request.sid":
            return Tag.SID
        if outside.startswith("flask.request."):
            return Tag.HANDSHAKE
        return found

    def _is_sockets(self, expr: Node) -> bool:
        """Tell whether `expr.sockets` is the collection: `io.sockets.sockets`, or `namespace.sockets`."""
        if isinstance(expr, Member):
            return expr.name in ("sockets", "nsp", "server")
        return isinstance(expr, Call)

    def _field(self, expr: Member) -> Tag:
        """Return the tags of a field of a class of the project."""
        cls = self.project.type_of(expr.obj)
        if cls is None:
            meant = self.project.meaning(expr)
            return self.of(meant) if isinstance(meant, Node) and meant is not expr else Tag.NONE
        found = Tag.NONE
        if is_injected_server(cls, expr.name):
            return Tag.SERVER
        kind = field_type(cls, expr.name)
        if kind:
            found |= self._typed(Param(Name(""), kind))
        for value in self.project.fields(cls).get(expr.name, []):
            found |= self.of(value)
        return found

    def _place_of_sockets(self, expr: Index) -> Tag:
        return Tag.SOCKET | Tag.STORED if Tag.SOCKETS in self.of(expr.obj) else Tag.NONE

    # --- calls ---

    def _call(self, expr: Call) -> Tag:
        outside = self.project.outside(expr.func)
        if SERVER_MAKERS.match(outside):
            return Tag.SERVER
        name = getattr(expr.func, "name", "")
        found = self._method(expr, expr.func) if isinstance(expr.func, Member) else Tag.NONE
        if found:
            return found
        if VERIFIERS.search(name) and not (name == "decode" and "jsonwebtoken" in outside):
            return Tag.USER
        callees = self.project.callees(expr)
        for func in callees:
            found |= self.returned(func)
        if not found and SERVER_GETTERS.match(name):
            return Tag.SERVER
        if not callees and (FORMS.match(name) or isinstance(self.project.meaning(expr.func), Class)):
            return self.all_of([*expr.args, *(value for _, value in expr.keywords)]) & CLAIMED
        if not callees and PLAIN.match(name) and self._converts(expr.func):
            return self.all_of(expr.args) & DATA
        return found

    def _converts(self, func: Node) -> bool:
        """Tell whether a function only changes the form of its argument: `String(x)`, `JSON.parse(x)`, `int(x)`."""
        if isinstance(func, Member):
            return getattr(func.obj, "name", "") in CONVERTERS
        return isinstance(func, Name)

    def _method(self, expr: Call, func: Member) -> Tag:
        base = self.of(func.obj)
        if Tag.SERVER in base and func.name in ("get_session", "session"):
            return Tag.USER
        if func.name in ("get_participants", "allSockets") and not base & (Tag.CLIENT | Tag.SOCKET):
            return Tag.IDS | Tag.STORED
        if Tag.SERVER in base and func.name == "fetchSockets":
            return Tag.SOCKETS
        if Tag.SOCKETS in base:
            return Tag.SOCKET | Tag.STORED
        if base & (Tag.SERVER | Tag.SOCKET) and func.name in (SERVER_CHAIN | SOCKET_CHAIN):
            return base
        if base & DATA and not base & (Tag.SERVER | Tag.SOCKET):
            return base & DATA if PLAIN.match(func.name) else Tag.NONE
        part = "keys" if func.name == "keys" else "items" if func.name in ("items", "entries") else "values"
        if func.name in READERS and (held := self.held(func.obj, part)):
            return held
        if func.name == "get" and expr.args and isinstance(expr.args[0], Const):
            key = str(expr.args[0].value)
            return Tag.SERVER if SERVER_NAMES.match(key) or key in ("socket", "socket.io") else Tag.NONE
        return Tag.NONE

    def returned(self, func: Func) -> Tag:
        """Return the tags of everything that a function returns."""
        found = Tag.SOCKET | Tag.STORED | Tag.KEPT if SOCKET_TYPE.match(func.returns) else Tag.NONE
        for statement in func.body:
            for node in statement.walk():
                if isinstance(node, Return) and function_of(node) is func:
                    found |= self.of(node.value)
        return found
