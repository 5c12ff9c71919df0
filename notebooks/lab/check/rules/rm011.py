"""RM011: a socket's own id kept as a value."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.stores import Write, is_queue, parts_with_id, writes
from lab.check.tags import Tag


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each socket id that is written to lasting state.

    The id is the socket's own, and a value, not a key.
    """
    for write in writes(facts):
        if write.kind not in ("collection", "shared", "field") or is_queue(write.place):
            continue
        found = next(parts_with_id(facts, write.value), None)
        if found is None or (write.kind == "field" and not _is_kept_field(facts, write)):
            continue
        if write.kind == "shared" or facts.outlives(write.place, facts.handler_function(write.node)):
            # the id may be in a record that was made before
            place = found[1] if facts.path_of(found[1]) == write.module.path else write.node
            yield Hit(
                facts.path_of(place), place, "the id of a socket is kept in a collection that outlives the handler"
            )


def _is_kept_field(facts: Facts, write: Write) -> bool:
    """Tell whether `place.field = id` writes to a collection.

    That is not so if `place` is a socket, a server or a single record.
    """
    return not facts.values.of(write.place) & (Tag.SOCKET | Tag.SERVER) and facts.keeps(write.place)


NODE = Snippet(
    bad="""\
const socketIds = new Map();

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socketIds.set(user.id, socket.id); // <- RM011

    socket.on("devices:count", (reply) => {
      reply({ users: socketIds.size });
    });
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

RULE = Rule(
    id="RM011",
    mistake="01",
    level="error",
    title="socket id kept in lasting state",
    what="The id of a socket is put into a map, list, set, object or Redis key that lives longer than the handler.",
    why=(
        "A socket id is valid for one connection only. After each reconnect the store holds an id that no longer "
        "exists: memory grows, and messages go to sockets that are gone. If the store keeps one id per user, a "
        "second tab overwrites the first one."
    ),
    exceptions=(
        "Logs, payloads, local variables, `socket.data` and `save_session` are fine: they end with the handler or "
        "with the connection."
    ),
    fix={
        "node": (
            "At each connection, join a room in place of this, as in socket.join(`user:${user.id}`), and emit with "
            "io.to(`user:${id}`); Socket.IO removes the socket from the room when it disconnects."
        ),
        "nest": (
            "In `handleConnection`, join a room in place of this, as in client.join(`user:${client.data.user.id}`), "
            "and emit with this.server.to(`user:${id}`); no store is needed."
        ),
        "python-socketio": (
            "In the connect handler, enter a room in place of this, as in `await sio.enter_room(sid, "
            'f"user:{user_id}")`, and emit with `to=f"user:{user_id}"`; no store is needed.'
        ),
        "flask": (
            "In the connect handler, join a room in place of this, as in "
            '`join_room(f"user:{current_user.id}")`, and emit with `to=f"user:{user_id}"`; no store is needed.'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
