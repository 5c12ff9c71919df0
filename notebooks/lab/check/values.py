"""What values are, such as a server, a socket or an id."""

from lab.check.contents import Contents, has_sockets, is_injected_server
from lab.check.flow import returned
from lab.check.ir import (
    Assign,
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
    Param,
    Record,
    Spread,
    Text,
    This,
)
from lab.check.ir import Sequence as ListOf
from lab.check.scopes import EACH, Variable, class_of, field_type, lookup
from lab.check.tags import (
    CLAIMED,
    CONVERTERS,
    DATA,
    FLASK_STATE,
    FORMS,
    IMPORTED_SERVER,
    NAMESPACE_BASES,
    PLAIN,
    READERS,
    SERVER_CHAIN,
    SERVER_GETTERS,
    SERVER_MAKERS,
    SERVER_NAMES,
    SOCKET_CHAIN,
    SOCKET_TYPE,
    VERIFIERS,
    Tag,
    tag_of_type,
)


def is_unseen_server(variable: Variable) -> bool:
    """Tell whether a variable may be a server from an unchecked file.

    That is so if it is imported from a file, not from a package, and its name is that of a server.
    """
    is_file = variable.imported is not None and variable.imported[0].startswith((".", "@/", "~/", "app"))
    return is_file and IMPORTED_SERVER.match(variable.name) is not None


def converts(func: Node) -> bool:
    """Tell whether a function only changes the form of its argument.

    Examples are `String(x)`, `JSON.parse(x)` and `int(x)`.
    """
    if isinstance(func, Member):
        return getattr(func.obj, "name", "") in CONVERTERS
    return isinstance(func, Name)


class Values(Contents):
    """Finds the tags of expressions: what is known of their values."""

    def _of_expression(self, expr: Node) -> Tag:
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
                return self._element(expr)
            case Call():
                return self._call(expr)
            case Text():
                return self.of_all(expr.parts) & (CLAIMED | Tag.USER | Tag.STORED)
            case Op(op="?:", operands=[_, *rest]):
                return self.of_all(rest)
            case Op(op="||" | "&&" | "??" | "+"):
                return self.of_all(expr.operands)
            case ListOf():
                return self.of_all(expr.items) & DATA
            case Record():
                return self.of_all([value for _, value in expr.items]) & (CLAIMED | Tag.USER)
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
        return self.of_variable(variable)

    def _of_variable(self, variable: Variable) -> Tag:
        found = Tag.NONE
        if variable.param is not None and variable.owner is not None:
            found |= self.along(self._param(variable.owner, variable.param), variable.path, variable.param)
        if variable.imported is not None:
            if self.project.outside_import(variable):
                return Tag.SERVER if is_unseen_server(variable) else Tag.NONE
            found |= self._imported(variable)
        for value, path in variable.values:
            found |= self.along(self.of(value), path, value)
        named = not found and SERVER_NAMES.match(variable.name)
        if named and not isinstance(self.project.meaning(variable), (Func, Class)):
            return Tag.SERVER
        return found

    def _imported(self, variable: Variable) -> Tag:
        meant = self.project.meaning(variable)
        found = Tag.NONE
        if isinstance(meant, Variable) and meant is not variable:
            found = self.of_variable(meant)
        elif isinstance(meant, Node):
            found = self.of(meant)
        return Tag.SERVER if not found and SERVER_NAMES.match(variable.name) else found

    def _param(self, func: Func, param: Param) -> Tag:
        """Return the tags of a parameter.

        They come from its type, its role and the arguments of all calls.
        """
        place = func.params.index(param)
        found = tag_of_type(param.type)
        roles = self.uses.roles.get(id(func), [])
        if place < len(roles):
            found |= roles[place]
        elif roles and param.rest:
            found |= roles[-1]
        if place == 0 and id(func) in self.uses.each:
            source, promise = self.uses.each[id(func)]
            found |= self.of(source) if promise else self.along(self.of(source), EACH, source)
        for call in self.uses.callers.get(id(func), []):
            found |= self._argument(call, place, param)
        for given in self.uses.later.get(id(func), []):
            found |= self.of(given[place]) if place < len(given) else Tag.NONE
        return found

    def _argument(self, call: Call, place: int, param: Param) -> Tag:
        """Return the tags of what a call passes for a parameter.

        `place` is the position of the parameter.
        """
        name = getattr(param.target, "name", "")
        for keyword, value in call.keywords:
            if keyword == name:
                return self.of(value)
        return self.of(call.args[place]) if place < len(call.args) else Tag.NONE

    # --- fields ---

    def _member(self, expr: Member) -> Tag:
        if isinstance(expr.obj, This) or self.of(expr.obj) == Tag.NONE:
            found = self._field(expr)
            if found:
                return found
        base = self.of(expr.obj)
        if Tag.SERVER in base and expr.name == "sockets" and has_sockets(expr.obj):
            return Tag.SOCKETS
        found = self.step(base, expr.name)
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

    def _field(self, expr: Member) -> Tag:
        """Return the tags of a field of a class of the project."""
        cls = self.project.type_of(expr.obj)
        if cls is None:
            meant = self.project.meaning(expr)
            return self.of(meant) if isinstance(meant, Node) and meant is not expr else Tag.NONE
        found = Tag.NONE
        if is_injected_server(cls, expr.name):
            return Tag.SERVER
        found |= tag_of_type(field_type(cls, expr.name))
        for value in self.project.fields(cls).get(expr.name, []):
            found |= self.of(value)
        return found

    def _element(self, expr: Index) -> Tag:
        base = self.of(expr.obj)
        found = self.step(base, str(getattr(expr.key, "value", ""))) | self.held(expr.obj)
        return found | Tag.SOCKET | Tag.STORED if Tag.SOCKETS in base else found

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
            found |= self._returned(func)
        if not found and SERVER_GETTERS.match(name):
            return Tag.SERVER
        if not callees and (FORMS.match(name) or isinstance(self.project.meaning(expr.func), Class)):
            return self.of_all([*expr.args, *(value for _, value in expr.keywords)]) & CLAIMED
        if not callees and PLAIN.match(name) and converts(expr.func):
            return self.of_all(expr.args) & DATA
        return found

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

    def _returned(self, func: Func) -> Tag:
        """Return the tags of everything that a function returns."""
        found = Tag.SOCKET | Tag.STORED | Tag.KEPT if SOCKET_TYPE.match(func.returns) else Tag.NONE
        return found | self.of_all(returned(func))
