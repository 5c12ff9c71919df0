"""Finds out what a value in the checked code is. Examples are a server, a socket and an id."""

from lab.check.contents import has_sockets, is_injected_server
from lab.check.flow import arguments, made_record, returned, variable_of
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
    Record,
    Spread,
    Text,
    This,
)
from lab.check.ir import Sequence as ListOf
from lab.check.names import ID_GETTER
from lab.check.parameters import Parameters
from lab.check.places import bases_of
from lab.check.scopes import Variable, class_of, lookup, record_value
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
    """Tell whether a variable can be a server from an unchecked file.

    That is so if the variable is imported from a file, not from a package, and has a server's name, such as `io`.
    """
    is_file = variable.imported is not None and variable.imported[0].startswith((".", "@/", "~/", "app"))
    return is_file and IMPORTED_SERVER.match(variable.name) is not None


def converts(func: Node) -> bool:
    """Tell whether a call of `func` only converts its arguments.

    `func` must have the name of a conversion. The result is True for a function like `int`, or a method like
    `JSON.parse`, but False for a method of an object that is not in `CONVERTERS`.
    """
    if isinstance(func, Member):
        return getattr(func.obj, "name", "") in CONVERTERS
    return isinstance(func, Name)


class Values(Parameters):
    """Finds out what an expression evaluates to, such as a socket id."""

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
        return any(NAMESPACE_BASES.search(base) for base in bases_of(self.project, cls))

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
            found |= self.of_part(variable, self.of_param(variable.owner, variable.param), variable.param)
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
        record = made_record(self.project, expr.obj) if found & CLAIMED else None
        if record is not None and (value := record_value(record, expr.name)) is not None:
            # another field of the record is from the client
            found = found & ~CLAIMED | self.of(value) & CLAIMED
        if Tag.SOCKET not in base and (self.holds_in(expr.obj, expr.name) or self._is_set_to_id(expr)):
            found |= Tag.IDS | Tag.STORED
        if not base and SERVER_NAMES.match(expr.name):
            return Tag.SERVER
        outside = self.project.outside(expr)
        if expr.name == "sid" and self._is_request(expr.obj):
            return Tag.SID
        if outside.startswith("flask.request."):
            return Tag.HANDSHAKE
        return found

    def _is_set_to_id(self, expr: Member) -> bool:
        """Tell whether the field that `expr` reads holds a socket's id.

        It does if an assignment such as `room.hostId = socket.id` sets this field of the same class, in any file.
        """
        written = self.uses.on_field.get(expr.name, [])
        cls = self.project.type_of(expr.obj) if written else None
        if cls is None:
            return False
        return any(Tag.SID in self.of(value) and self.project.type_of(obj) is cls for obj, value in written)

    def _is_request(self, expr: Node) -> bool:
        """Tell whether an expression is Flask's `request`.

        The expression can also be a parameter that gets `request` as its argument.
        """
        variable = variable_of(self.project, expr)
        if variable is None or variable.param is None:
            return self.project.outside(expr) == "flask.request"
        return any(self.project.outside(given) == "flask.request" for given in arguments(self.uses, variable))

    def _field(self, expr: Member) -> Tag:
        """Return what the field that `expr` reads contains, such as a socket."""
        cls = self.project.type_of(expr.obj)
        if cls is None:
            meant = self.project.meaning(expr)
            return self.of(meant) if isinstance(meant, Node) and meant is not expr else Tag.NONE
        found = Tag.NONE
        if is_injected_server(cls, expr.name):
            return Tag.SERVER
        found |= tag_of_type(self.own_type(cls, expr.name))
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
        if ID_GETTER.search(name) and any(self._is_request(arg) for arg in expr.args):
            return Tag.SID
        if name == "getattr" and len(expr.args) > 1:
            return self.step(self.of(expr.args[0]), str(getattr(expr.args[1], "value", "")))
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
            return Tag.SOCKETS if func.name in ("values", "filter", "slice") else Tag.SOCKET | Tag.STORED
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
        """Return what a function returns, such as a socket or an id."""
        found = self.of_all(returned(func))
        # the values say more than the declared type
        if Tag.SOCKET in found or not SOCKET_TYPE.match(func.returns) or self._is_other_type(func, func.returns):
            return found
        return found | Tag.SOCKET | Tag.STORED | Tag.KEPT
