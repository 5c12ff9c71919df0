"""Finds calls in checked code that join or leave rooms, or emit."""

from dataclasses import dataclass, field
from typing import Literal

from lab.check.ir import Await, Call, Const, Member, Name, Node, Spread, This
from lab.check.ir import Sequence as ListOf
from lab.check.project import Project
from lab.check.scopes import Module
from lab.check.tags import Tag
from lab.check.values import Values

JOINS = {"join", "socketsJoin", "enter_room", "join_room"}
LEAVES = {"leave", "socketsLeave", "leave_room", "close_room"}
EMITS = {"emit", "send", "emitWithAck", "broadcast"}
# methods that close a socket
ENDS = {"disconnect", "disconnectSockets", "close", "terminate", "end"}
FLASK = {"flask_socketio.emit", "flask_socketio.send"}
# keyword arguments of Python that name a room
ROOM_KEYWORDS = {"to", "room"}
PASSED = {"volatile", "local", "binary", "compress", "timeout", "except", "of", "nsp", "server", "sockets", "broadcast"}

Aim = Literal["everyone", "rooms", "self", "lookup"]


@dataclass(slots=True, eq=False)
class Move:
    """A call that makes a socket join or leave rooms.

    `rooms` has the expressions in the checked code that name the rooms.
    """

    node: Call
    module: Module
    rooms: list[Node]
    # the socket, or its id in Python; None for Flask, which takes the one of the request
    socket: Node | None
    # False for `server.in(room).socketsJoin(other)`
    own: bool = True


@dataclass(slots=True, eq=False)
class Emit:
    """A call that emits an event.

    `aim` says who receives the event. "everyone" means all sockets, and "rooms" the sockets in `rooms`. "lookup" means
    a socket that the code fetched by its id. "self" means the handler's own socket, another socket on which the code
    calls `emit`, or a namespace with a computed name.
    """

    node: Call
    module: Module
    aim: Aim
    rooms: list[Node] = field(default_factory=list)
    event: Node | None = None
    payload: list[Node] = field(default_factory=list)
    # whether it begins at a socket, so that the sender itself is left out
    from_socket: bool = False
    # the looked-up socket of a `lookup`
    found: Node | None = None


@dataclass(slots=True, eq=False)
class Actions:
    """The calls in a project that join rooms, leave rooms, or emit."""

    joins: list[Move] = field(default_factory=list)
    leaves: list[Move] = field(default_factory=list)
    emits: list[Emit] = field(default_factory=list)


def find_actions(project: Project, values: Values) -> Actions:
    """Return the calls that join rooms, leave rooms, or emit.

    All parsed files are searched. An emit can go to rooms, to one socket or to everyone.
    """
    found = Actions()
    for module in list(project.modules.values()):
        for call in module.calls:
            _add(project, values, module, call, found)
    return found


def _add(project: Project, values: Values, module: Module, call: Call, found: Actions) -> None:
    name = call.func.name if isinstance(call.func, (Member, Name)) else ""
    for wanted, moves in ((JOINS, found.joins), (LEAVES, found.leaves)):
        if name in wanted and (move := _move(project, values, module, call, name)):
            moves.append(move)
    if name in EMITS and (emit := _emit(project, values, module, call)):
        found.emits.append(emit)


def _move(project: Project, values: Values, module: Module, call: Call, name: str) -> Move | None:
    rooms = [*call.args]
    keywords = {key: value for key, value in call.keywords if key}
    if isinstance(call.func, Name):
        if not project.outside(call.func).startswith("flask_socketio") or not (rooms or "room" in keywords):
            return None
        return Move(call, module, flat([keywords.get("room") or rooms[0]]), keywords.get("sid"))
    if not isinstance(call.func, Member):
        return None
    tags = values.of(call.func.obj)
    if name in ("socketsJoin", "socketsLeave"):
        return Move(call, module, flat(rooms), call.func.obj, own=False) if tags & (Tag.SERVER | Tag.SOCKET) else None
    if Tag.SOCKET in tags and name in ("join", "leave"):
        return Move(call, module, flat(rooms[:1]), call.func.obj)
    if Tag.SERVER in tags and name in ("enter_room", "leave_room"):
        sid = keywords.get("sid") or (rooms[0] if rooms else None)
        room = keywords.get("room") or (rooms[1] if len(rooms) > 1 else None)
        return Move(call, module, flat([room]) if room else [], sid)
    return None


def flat(rooms: list[Node]) -> list[Node]:
    """Return the rooms in the arguments of a call, as one list.

    `rooms` has the arguments. If an argument is an array literal, as in `io.to([a, b])`, its elements are the rooms.
    For `...a` or `await a`, the room is `a`.
    """
    found: list[Node] = []
    for room in rooms:
        if isinstance(room, ListOf):
            found.extend(flat(room.items))
        else:
            found.append(room.value if isinstance(room, (Spread, Await)) else room)
    return found


def _emit(project: Project, values: Values, module: Module, call: Call) -> Emit | None:
    if isinstance(call.func, Name):
        return _flask(module, call) if project.outside(call.func) in FLASK else None
    if not isinstance(call.func, Member):
        return None
    root, rooms, broadcast = chain(project, call.func.obj)
    # `this.gateway.server`, where the gateway itself is no server
    tags = values.of(root) or values.of(call.func.obj) & Tag.SERVER
    if not tags & (Tag.SERVER | Tag.SOCKET):
        return None
    event, payload = (call.args[0] if call.args else None), call.args[1:]
    if module.source.language == "py":
        emit = _python(module, call, event, payload)
        # a socket of a wrapper emits to itself, unless rooms are given
        if Tag.SOCKET in tags and emit.aim == "everyone" and not any(key in ROOM_KEYWORDS for key, _ in call.keywords):
            emit.aim = "self"
        return emit if call.func.name != "broadcast" else None
    emit = Emit(call, module, "self", rooms, event, payload, from_socket=Tag.SERVER not in tags)
    if rooms:
        emit.aim = "rooms"
    elif _is_namespace_of_one(project, call.func.obj):
        # a namespace whose name is computed serves as a room
        emit.aim = "self"
    elif Tag.SERVER in tags or broadcast:
        emit.aim = "everyone"
    elif Tag.STORED in tags:
        emit.aim, emit.found = "lookup", root
    return emit


def _python(module: Module, call: Call, event: Node | None, payload: list[Node]) -> Emit:
    keywords = {key: value for key, value in call.keywords if key}
    rooms = [value for key, value in keywords.items() if key in ROOM_KEYWORDS and not _is_none(value)]
    if len(payload) > 1 and isinstance(call.func, Member) and call.func.name == "emit":
        # emit(event, data, to)
        rooms = [*rooms, *payload[1:2]]
    payload = [*payload[:1], *(value for key, value in keywords.items() if key == "data")]
    included = keywords.get("include_self")
    without = "skip_sid" in keywords or (isinstance(included, Const) and included.value is False)
    rooms = [room for room in flat(rooms) if getattr(getattr(room, "func", None), "name", "") != "everyone"]
    return Emit(call, module, "rooms" if rooms else "everyone", rooms, event, payload, from_socket=without)


def _flask(module: Module, call: Call) -> Emit:
    keywords = {key: value for key, value in call.keywords if key}
    emit = _python(module, call, call.args[0] if call.args else None, call.args[1:])
    sent = keywords.get("broadcast")
    if emit.aim == "everyone" and not (isinstance(sent, Const) and sent.value is True):
        emit.aim = "self"
    return emit


def _is_none(node: Node) -> bool:
    return isinstance(node, Const) and node.value is None


def chain(project: Project, expr: Node) -> tuple[Node, list[Node], bool]:
    """Return the parts of an emit chain such as `io.to(room).volatile`.

    `expr` is the chain. The first part is the server or socket at the beginning of the chain. The second part has the
    arguments of `to` and `in`. The third part says whether the chain contains `broadcast`.
    """
    rooms: list[Node] = []
    broadcast = False
    for _ in range(20):
        match expr:
            case Call(func=Member(obj=obj, name="to" | "in"), args=args):
                rooms, expr = flat(args) + rooms, obj
            case Call(func=Member(obj=obj, name=name)) if name in PASSED:
                expr = obj
            case Member(obj=obj, name=name) if name in PASSED and not _is_place(obj, name):
                broadcast, expr = broadcast or name == "broadcast", obj
            case Name():
                made = project.meaning(expr)
                inner = made.func if isinstance(made, Call) else made
                if isinstance(inner, Member) and inner.name in PASSED | {"to", "in"} and isinstance(made, Node):
                    expr = made
                    continue
                break
            case _:
                break
    return expr, rooms, broadcast


def _is_namespace_of_one(project: Project, expr: Node) -> bool:
    """Tell whether an emit goes to a namespace with a computed name.

    `expr` is the object on which the code calls `emit`, such as ``io.of(`/game/${id}`)``. Such a namespace serves as a
    room, so the emit does not go to everyone.
    """
    found = project.meaning(expr) if isinstance(expr, Name) else expr
    match found:
        case Call(func=Member(name="of"), args=[name]):
            return not isinstance(name, Const) and not isinstance(project.meaning(name), Const)
    return False


def _is_place(obj: Node, name: str) -> bool:
    """Tell whether `obj.name` is `this.server` or `this.sockets`.

    These are ordinary fields of a class in the checked code. On other objects, `server` and `sockets` belong to the
    emit chain, as in `io.sockets.emit()`.
    """
    return name in ("server", "sockets") and isinstance(obj, This)


def is_emit(node: Call) -> bool:
    """Tell whether `node` calls a function named `emit`, `send`, `emitWithAck` or `broadcast`."""
    return getattr(node.func, "name", "") in EMITS
