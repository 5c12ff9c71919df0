"""RM071: an earlier connection of a user closed by a new one."""

import re
from collections.abc import Iterable

from lab.check.actions import ENDS
from lab.check.facts import Facts
from lab.check.ir import Call, Member, Node
from lab.check.model import Hit, Rule, Snippet
from lab.check.names import names_in
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.tags import Tag

# events in which a user logs in, and those of administrators
LOGIN = re.compile(r"login|identi|register|auth|setup|init|join|^connect|add_?user", re.I)
ADMIN = re.compile(r"kick|ban|remove|disconnect|logout", re.I)
# events that end an earlier connection: "force_logout", "duplicate-session", "anotherDevice"
KICK = re.compile(
    r"(force|kick|duplicate|another|other|multiple|already|replaced|new)_?-?:?"
    r"(log|session|device|login|tab|window|connect|out|in)",
    re.I,
)


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each place where a new connection closes a user's earlier connection.

    An emit that asks the earlier connection to end, such as the event `force_logout`, counts, too.
    """
    for module, call in facts.calls:
        if _closes_another(facts, call) and _is_login(facts, call):
            yield Hit(module.path, call, "is an earlier connection of the same user closed on purpose?")
    for emit in facts.actions.emits:
        if emit.aim not in ("rooms", "lookup") or emit.event is None or not _is_login(facts, emit.node):
            continue
        if any(KICK.search(name) for name in names_in(emit.event)):
            yield Hit(emit.module.path, emit.node, "is an earlier connection of the same user ended on purpose?")


def _is_login(facts: Facts, node: Node) -> bool:
    """Tell whether code runs when a client connects or logs in.

    `node` is the code, as a node of the syntax tree.
    """
    handlers = facts.handlers_at(node)
    return any(
        handler.kind in ("connect", "middleware") or (LOGIN.search(handler.event) and not ADMIN.search(handler.event))
        for handler in handlers
    )


def _closes_another(facts: Facts, call: Call) -> bool:
    """Tell whether a call closes a socket other than the handler's own."""
    name = getattr(call.func, "name", "")
    given = [*call.args, *(value for _, value in call.keywords)]
    if facts.project.outside(call.func) == "flask_socketio.disconnect":
        return any(facts.is_stored_id(arg) for arg in given)
    if not isinstance(call.func, Member) or name not in ENDS:
        return False
    tags = facts.values.of(call.func.obj)
    if Tag.SERVER in tags:
        return name == "disconnectSockets" or any(facts.is_stored_id(arg) for arg in given)
    return Tag.SOCKET in tags and Tag.STORED in tags


NODE = Snippet(
    bad="""\
export function register(io) {
  io.on("connection", async (socket) => {
    const { user } = socket.data;
    const earlier = await io.in(`user:${user.id}`).fetchSockets();
    for (const other of earlier) {
      other.disconnect(true); // <- RM071
    }
    socket.join(`user:${user.id}`);
  });
}
""",
    good="""\
import { changePassword } from "./accounts.js";

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);

    // other sessions end when the password changes
    socket.on("password:change", async (password, reply) => {
      await changePassword(user.id, password);
      reply({ ok: true });
      io.in(`user:${user.id}`).disconnectSockets(true);
    });
  });
}
""",
)

NEST = Snippet(
    bad=GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    const room = `user:${client.data.user.id}`;
    this.server.in(room).disconnectSockets(true); // <- RM071
    client.join(room);
  }
}
""",
    good=GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`);
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
from .auth import verify_token


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        room = f"user:{user.id}"
        for other, _ in list(sio.manager.get_participants("/", room)):
            await sio.disconnect(other)  # <- RM071
        await sio.enter_room(sid, room)
""",
    good="""\
from .auth import verify_token


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.enter_room(sid, f"user:{user.id}")
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user
from flask_socketio import disconnect, join_room


def register(socketio):
    @socketio.on("connect")
    def connect():
        room = f"user:{current_user.id}"
        for other, _ in list(socketio.server.manager.get_participants("/", room)):
            disconnect(sid=other)  # <- RM071
        join_room(room)
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
    id="RM071",
    mistake="07",
    level="question",
    title="second tab closes the first one",
    what="When a user connects, the server closes an earlier connection of the same user, or refuses the new one.",
    why=(
        "Users have several tabs and devices, and each one that is closed reconnects and closes the other one in "
        "turn. A forgotten phone locks out the computer in the office."
    ),
    exceptions=(
        "A product that must allow one session only. It should end the older session at its token, and not by a "
        "table of sockets. Ending other sessions when the password changes is fine."
    ),
    fix={
        "node": (
            "Close no connection: let each one join the user's room, and emit to that room; it reaches all tabs "
            "and devices.\n"
            'socket.join(`user:${socket.data.user.id}`); // in io.on("connection", …)\n'
            'io.to(`user:${userId}`).emit("event", data);'
        ),
        "nest": (
            "Close no connection: let each one join the user's room, and emit to that room; it reaches all tabs "
            "and devices.\n"
            "client.join(`user:${client.data.user.id}`); // in handleConnection\n"
            'this.server.to(`user:${userId}`).emit("event", data);'
        ),
        "python-socketio": (
            "Close no connection: let each one join the user's room, and emit to that room; it reaches all tabs "
            "and devices.\n"
            'await sio.enter_room(sid, f"user:{user_id}")  # in the connect handler\n'
            'await sio.emit("event", data, to=f"user:{user_id}")'
        ),
        "flask": (
            "Close no connection: let each one join the user's room, and emit to that room; it reaches all tabs "
            "and devices.\n"
            'join_room(f"user:{current_user.id}")  # in the connect handler\n'
            'socketio.emit("event", data, to=f"user:{user_id}")'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
