"""RM051: an entry of lasting state removed by hand at disconnect.

Lasting state, such as a global dict of users, outlives the connection.
"""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.model import Hit, Rule, Snippet
from lab.check.purposes import is_of_connection, is_only_closed
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.running import call_from
from lab.check.stores import Removal, is_forwarded, removals

# lines between two places that are reported once
NEXT = 3


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each deletion of a collection entry by a disconnect handler.

    The collection, such as a global dict of users, outlives the handler. In such a handler, a call that leaves a room
    is reported, too.
    """
    places = [removal.node for removal in removals(facts) if _is_by_hand(facts, removal)]
    places += [move.node for move in facts.actions.leaves if facts.always(move.node, "disconnect")]
    seen: set[tuple[str, int]] = set()
    for node in places:
        for handler in facts.handlers_at(node, "disconnect"):
            place = call_from(facts, handler, node)
            path = facts.path_of(place)
            # lines that follow each other clean up one thing
            if not any((path, place.line + offset) in seen for offset in range(-NEXT, NEXT + 1)):
                seen.add((path, place.line))
                yield Hit(path, place, "at disconnect, this removes what a room drops by itself")


def _is_by_hand(facts: Facts, removal: Removal) -> bool:
    """Tell whether a disconnect handler removes an entry of a lasting collection.

    `removal` is code such as `users.delete(id)`. A lasting collection, such as a global dict or a Redis set, outlives
    the handler. For things that each serve one connection, such as timers, the result is False.
    """
    if not facts.handlers_at(removal.node, "disconnect"):
        return False
    if is_forwarded(facts, removal.node):
        return False
    if is_of_connection(facts, removal.place) or is_only_closed(facts, removal.place):
        return False
    return removal.shared or facts.outlives(removal.place, facts.handler_function(removal.node))


NODE = Snippet(
    bad="""\
const onlineSince = new Map();

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    onlineSince.set(user.id, Date.now());

    socket.on("disconnect", () => {
      onlineSince.delete(user.id); // <- RM051
    });
  });
}
""",
    good="""\
export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);

    socket.on("colleague:online", async (colleague, reply) => {
      const sockets = await io.in(`user:${colleague}`).fetchSockets();
      reply({ online: sockets.length > 0 });
    });
  });
}

// a timer belongs to its connection
export function registerClock(io) {
  io.on("connection", (socket) => {
    const timer = setInterval(() => socket.emit("clock", Date.now()), 60_000);
    socket.on("disconnect", () => clearInterval(timer));
  });
}
""",
)

NEST = Snippet(
    bad=GATEWAY
    + """\
  private onlineUsers = new Set<string>();

  handleConnection(@ConnectedSocket() client: Socket) {
    this.onlineUsers.add(client.data.user.id);
  }

  handleDisconnect(@ConnectedSocket() client: Socket) {
    this.onlineUsers.delete(client.data.user.id); // <- RM051
  }
}
""",
    good=GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`);
  }

  async isOnline(userId: string) {
    return (await this.server.in(`user:${userId}`).fetchSockets()).length > 0;
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
import time

from .auth import verify_token

online_since = {}


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        online_since[user.id] = time.time()

    @sio.event
    async def disconnect(sid, reason):
        user = (await sio.get_session(sid))["user"]
        del online_since[user.id]  # <- RM051
""",
    good="""\
from .auth import verify_token


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.enter_room(sid, f"user:{user.id}")


def is_online(sio, user_id):
    return any(sio.manager.get_participants("/", f"user:{user_id}"))
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user

online_users = set()


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        online_users.add(current_user.id)

    @socketio.on("disconnect")
    def disconnect(reason):
        online_users.discard(current_user.id)  # <- RM051
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


def is_online(socketio, user_id):
    return any(socketio.server.manager.get_participants("/", f"user:{user_id}"))
""",
)

RULE = Rule(
    id="RM051",
    mistake="05",
    level="warning",
    title="state cleaned by hand at disconnect",
    what="The disconnect handler removes an entry from a map, list, set or other state that outlives the connection.",
    why=(
        "The entry is of a user, but the event is of one connection: closing one of two tabs removes the entry "
        "of the other one. A crash removes none."
    ),
    exceptions="Timers, streams and other resources that belong to the connection must be released at disconnect.",
    fix={
        "node": (
            "Keep what belongs to the connection in `socket.data`. To know who is online, ask the user's room, "
            "which each connection joins.\n"
            'socket.join(`user:${socket.data.user.id}`); // in io.on("connection", …)\n'
            "const isOnline = (await io.in(`user:${userId}`).fetchSockets()).length > 0; // each has `data`"
        ),
        "nest": (
            "Keep what belongs to the connection in `client.data`. To know who is online, ask the user's room, "
            "which each connection joins.\n"
            "client.join(`user:${client.data.user.id}`); // in handleConnection\n"
            "const isOnline = (await this.server.in(`user:${userId}`).fetchSockets()).length > 0; // each has `data`"
        ),
        "python-socketio": (
            "Keep what belongs to the connection in its session. To know who is online, ask the user's room, "
            "which each connection enters.\n"
            'await sio.enter_room(sid, f"user:{user_id}")  # in the connect handler\n'
            'is_online = any(sio.manager.get_participants("/", f"user:{user_id}"))'
        ),
        "flask": (
            "Keep what belongs to the connection in Flask's `session`. To know who is online, ask the user's "
            "room, which each connection joins.\n"
            'join_room(f"user:{current_user.id}")  # in the connect handler\n'
            'is_online = any(socketio.server.manager.get_participants("/", f"user:{user_id}"))'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
