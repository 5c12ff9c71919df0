"""RM011: a socket's own id stored in state that outlives the handler."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.ir import Assign, Call, Class, Export, Field, Import, Member, Name, Op
from lab.check.model import Hit, Rule, Snippet
from lab.check.places import Place, place_of
from lab.check.purposes import is_of_connection, is_queue
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.stores import Write, is_forwarded, parts_with_id, writes
from lab.check.tags import Tag

# methods of a set that say something about one connection
FLAG_USES = {"has", "add", "delete", "discard", "remove", "size", "clear"}


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each statement that stores the handler's socket id in lasting state.

    Lasting state, such as a global dict or Redis, outlives the handler. An id that is only the key of an entry is left
    out, because RM012 reports it. But a Redis call with the id as key is yielded.
    """
    for write in writes(facts):
        if write.kind == "record" or is_queue(facts, write.place) or is_forwarded(facts, write.node):
            continue
        found = next(parts_with_id(facts, write.value), None)
        if found is None or _is_session(facts, write) or (write.kind == "field" and not _is_kept_field(facts, write)):
            continue
        if write.kind == "shared" or facts.outlives(write.place, facts.handler_function(write.node)):
            # from a record that was made before
            place = found[1] if found[0] or facts.path_of(found[1]) == write.module.path else write.node
            told = "the id of a socket is kept in a collection that outlives the handler"
            yield Hit(facts.path_of(place), place, told, "warning" if _is_flag(facts, write) else None)


def _is_session(facts: Facts, write: Write) -> bool:
    """Tell whether a statement stores an object that serves one connection.

    The object is an instance of a class, such as `new Game()`. It is stored under the socket's id or in a collection
    with a name such as `timers`.
    """
    if not isinstance(write.value, Name) or write.key is None:
        return False
    param = facts.parameter(write.value)
    made = [write.value, *facts.assigned(write.value), *(facts.arguments(param) if param is not None else [])]
    made = [
        inner for value in made for inner in ([value, *facts.assigned(value)] if isinstance(value, Name) else [value])
    ]
    classes = any(isinstance(value, Call) and isinstance(facts.project.meaning(value.func), Class) for value in made)
    return classes and (facts.is_own_id(write.key) or is_of_connection(facts, write.place))


def _is_kept_field(facts: Facts, write: Write) -> bool:
    """Tell whether `write` sets a field in a collection that outlives handlers.

    An example is `rooms[name].hostId = id`, if `rooms` is global. A field of a socket or of a server does not count.
    """
    return not facts.values.of(write.place) & (Tag.SOCKET | Tag.SERVER) and facts.keeps(write.place)


def _is_flag(facts: Facts, write: Write) -> bool:
    """Tell whether a statement adds to a set that is never read.

    The program calls only `has`, `add` and the like on the set, so it cannot emit to the ids. RM011 then only warns.
    """
    place = place_of(facts.project, write.place)
    return write.kind == "collection" and write.key is None and place not in facts.once(_read_places)


def _read_places(facts: Facts) -> set[Place | None]:
    """Return the collections whose elements the code reads. `ids.has(id)` and `ids.add(id)` do not read elements."""
    found: set[Place | None] = set()
    for _, node in facts.nodes(Name, Member):
        above = node.parent
        if isinstance(above, Member) and above.obj is node and above.name in FLAG_USES:
            continue
        if isinstance(above, Op) and above.op in ("in", "not in") and above.operands[-1] is node:
            continue
        if isinstance(above, Assign | Export | Import | Field):
            continue
        # `ids.has` itself is no second reading of `ids`
        if isinstance(node, Member) and node.name in FLAG_USES and isinstance(above, Call) and above.func is node:
            continue
        found.add(place_of(facts.project, node))
    return found


NODE = Snippet(
    bad="""\
const socketIds = new Map();

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socketIds.set(user.id, socket.id); // <- RM011

    socket.on("devices:count", (reply) => reply({ users: socketIds.size }));
  });
}
""",
    good="""\
export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);
    console.log("connected", socket.id);

    socket.on("devices:count", async (reply) => {
      const devices = await io.in(`user:${user.id}`).fetchSockets();
      reply({ devices: devices.length });
    });
  });
}

// what belongs to one connection is kept in its `socket.data`
export function rememberConnection(io) {
  io.use((socket, next) => {
    socket.data.connection = { id: socket.id, at: Date.now() };
    next();
  });
}
""",
)

NEST = Snippet(
    bad=GATEWAY
    + """\
  private socketIds = new Map<string, Set<string>>();

  handleConnection(@ConnectedSocket() client: Socket) {
    const { user } = client.data;
    const ids = this.socketIds.get(user.id) ?? new Set<string>();
    ids.add(client.id); // <- RM011
    this.socketIds.set(user.id, ids);
  }
}
""",
    good=GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`);
  }

  @SubscribeMessage("devices:count")
  async countDevices(@ConnectedSocket() client: Socket) {
    const devices = await this.server.in(`user:${client.data.user.id}`).fetchSockets();
    return { devices: devices.length };
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
from collections import defaultdict

from .auth import verify_token

socket_ids = defaultdict(set)


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        socket_ids[user.id].add(sid)  # <- RM011
""",
    good="""\
import logging

from .auth import verify_token

log = logging.getLogger(__name__)


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user, "connection": sid})
        await sio.enter_room(sid, f"user:{user.id}")
        log.info("user %s connected as %s", user.id, sid)
""",
)

FLASK = Snippet(
    bad="""\
from flask import request
from flask_login import current_user

socket_ids = {}


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        socket_ids[current_user.id] = request.sid  # <- RM011
""",
    good="""\
from flask_login import current_user
from flask_socketio import join_room


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        join_room(f"user:{current_user.id}")
""",
)

KEEP_NONE = (
    "Keep no ids, and no clean-up at disconnect. If the code uses the ids, let each connection join the room of its "
    "user or role, and emit to it. Name the room for an id that a reconnect does not change: the account's, or a "
    "random one that the client keeps.\n"
)
RULE = Rule(
    id="RM011",
    mistake="01",
    level="error",
    title="socket id kept in lasting state",
    what="The id of a socket is put into a map, list, set, object or Redis key that lives longer than the handler.",
    why=(
        "A client gets a new id at each reconnect, so the store keeps ids that no longer exist: memory grows, "
        "and messages go to sockets that are gone. If the store keeps one id per user, a second tab overwrites "
        "the first one."
    ),
    exceptions=(
        "Logs, payloads, local variables, `socket.data` and `save_session` are fine: they end with the handler or "
        "with the connection."
    ),
    fix={
        "node": (
            KEEP_NONE + 'socket.join(`user:${socket.data.user.id}`); // in io.on("connection", …)\n'
            'io.to(`user:${userId}`).emit("event", data); // in place of each emit to the kept id\n'
            "const isOnline = (await io.in(`user:${userId}`).fetchSockets()).length > 0; // each has `data`"
        ),
        "nest": (
            KEEP_NONE + "client.join(`user:${client.data.user.id}`); // in handleConnection\n"
            'this.server.to(`user:${userId}`).emit("event", data); // in place of each emit to the kept id\n'
            "const isOnline = (await this.server.in(`user:${userId}`).fetchSockets()).length > 0; // each has `data`"
        ),
        "python-socketio": (
            KEEP_NONE + 'await sio.enter_room(sid, f"user:{user_id}")  # in the connect handler\n'
            'await sio.emit("event", data, to=f"user:{user_id}")  # in place of each emit to the kept id\n'
            'is_online = any(sio.manager.get_participants("/", f"user:{user_id}"))'
        ),
        "flask": (
            KEEP_NONE + 'join_room(f"user:{current_user.id}")  # in the connect handler\n'
            'socketio.emit("event", data, to=f"user:{user_id}")  # in place of each emit to the kept id\n'
            'is_online = any(socketio.server.manager.get_participants("/", f"user:{user_id}"))'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
