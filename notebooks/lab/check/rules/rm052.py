"""RM052: an online flag set by hand at disconnect."""

import re
from collections.abc import Iterable

from lab.check.actions import is_emit
from lab.check.databases import is_record, is_written, sql_of
from lab.check.facts import Facts
from lab.check.ir import Assign, Call, Const, Func, Index, Member, Name, Node, Record
from lab.check.membership import PEOPLE
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.scopes import enclosing
from lab.check.tags import Tag

# fields that say whether a user is there
FLAG = re.compile(
    # isOnline, connected_status
    r"^(is_?)?(online|connected|active|available|logged_?in)(_?status)?$"
    # the id of a socket is removed for the same reason
    r"|^(online_?)?status$|^presence$|^socket_?id$",
    re.I,
)
# the same in records that the program keeps: other flags may be of a game or a room
PRESENT = re.compile(r"^(is_?)?(online|connected|logged_?in)$", re.I)
# functions that set one: setUserOnline(), mark_offline()
SETTER = re.compile(
    r"(set|update|mark|change)\w*(online|offline|presence|availab\w*)(_?\w*status|_?state|_?flag)?$"
    r"|(set|update|mark|change)\w*(user|player|member|driver|agent|client|partner|socket|connection)\w*(status|active|state)$"
    r"|^(go|set|mark)_?offline",
    re.I,
)
# a statement that takes a member out of a room, or sets an online flag
SQL = re.compile(
    r"delete\s+from\s+\w*(member|participant|room_user|presence|online)"
    r"|update\s+\w+\s+set\s+\w*(online|status|active|connected)",
    re.I,
)


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each online flag that a disconnect handler sets by hand.

    An online flag says whether a user is online. A record's field for the people in a room, or for their number, counts
    as such a flag, too.
    """
    places = [node for _, node in facts.nodes(Call, Assign, Record) if _sets(facts, node)]
    places = [node for node in places if facts.handlers_at(node, "disconnect")]
    # a call that is named for it stands for what it does inside
    named = [func for node in places if isinstance(node, Call) for func in facts.project.callees(node)]
    for node in places:
        if not any(func in named for func in enclosing(node, Func)):
            yield Hit(facts.path_of(node), node, "one connection ends, and this marks its user as gone")


def _sets(facts: Facts, node: Node) -> bool:
    match node:
        case Call():
            named = SETTER.search(getattr(node.func, "name", "")) or SQL.search(sql_of(facts, node))
            return bool(named) and not is_emit(node)
        case Assign(target=Member(name=name, obj=obj)):
            kept = is_record(facts, obj) or (isinstance(obj, Name) and Tag.USER in facts.values.of(obj))
            if kept and bool(FLAG.search(name) or PEOPLE.match(name)):
                return True
            return isinstance(node.value, Const) and bool(PRESENT.match(name)) and facts.keeps(obj)
        case Assign(target=Index(obj=obj, key=Const(value=str(name))), value=Const()):
            return bool(PRESENT.match(name)) and facts.keeps(obj)
        case Record():
            flags = any(isinstance(key, Const) and FLAG.search(str(key.value)) for key, _ in node.items)
            return flags and is_written(facts, node)
    return False


NODE = Snippet(
    bad="""\
import { User } from "./models/user.js";

export function register(io) {
  io.on("connection", async (socket) => {
    const { user } = socket.data;
    socket.on("disconnect", async () => {
      await User.updateOne({ _id: user.id }, { online: false }); // <- RM052
    });
    await User.updateOne({ _id: user.id }, { online: true });
  });
}
""",
    good="""\
import { User } from "./models/user.js";

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);

    socket.on("colleague:online", async (colleague, reply) => {
      const sockets = await io.in(`user:${colleague}`).fetchSockets();
      reply({ online: sockets.length > 0 });
    });

    socket.on("disconnect", async () => {
      await User.updateOne({ _id: user.id }, { lastSeen: new Date() });
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { UsersRepository } from "./users";
"""
    + GATEWAY
    + """\
  constructor(private readonly users: UsersRepository) {}

  async handleConnection(@ConnectedSocket() client: Socket) {
    await this.users.update(client.data.user.id, { status: "online" });
  }

  async handleDisconnect(@ConnectedSocket() client: Socket) {
    await this.users.update(client.data.user.id, { status: "offline" }); // <- RM052
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
from .auth import verify_token
from .database import database


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        await database.execute("UPDATE users SET is_online = true WHERE id = $1", user.id)

    @sio.event
    async def disconnect(sid, reason):
        user = (await sio.get_session(sid))["user"]
        await database.execute("UPDATE users SET is_online = false WHERE id = $1", user.id)  # <- RM052
""",
    good="""\
from .auth import verify_token
from .database import database


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        await sio.enter_room(sid, f"user:{user.id}")

    @sio.event
    async def disconnect(sid, reason):
        user = (await sio.get_session(sid))["user"]
        await database.execute("UPDATE users SET last_seen = now() WHERE id = $1", user.id)


def is_online(sio, user_id):
    return any(sio.manager.get_participants("/", f"user:{user_id}"))
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user

from .models import db


def register(socketio):
    @socketio.on("connect")
    def connect():
        current_user.is_online = True
        db.session.commit()

    @socketio.on("disconnect")
    def disconnect(reason):
        current_user.is_online = False  # <- RM052
        db.session.commit()
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
    id="RM052",
    mistake="05",
    level="warning",
    title="online flag set by hand at disconnect",
    what="The disconnect handler sets an online flag, a status or a membership, in a database or in memory.",
    why=(
        "The first of two tabs that closes marks the user as offline although the other one is still open. A "
        "crash runs no disconnect handler, so users stay online without end."
    ),
    exceptions="A time stamp such as `last_seen` is a fact about the past and may be written.",
    fix={
        "node": (
            "Store no such flag: ask the user's room when it is needed; it is empty when the last tab has closed.\n"
            "const isOnline = (await io.in(`user:${userId}`).fetchSockets()).length > 0;\n"
            'socket.join(`user:${socket.data.user.id}`); // in io.on("connection", …)'
        ),
        "nest": (
            "Store no such flag: ask the user's room when it is needed; it is empty when the last tab has closed.\n"
            "const isOnline = (await this.server.in(`user:${userId}`).fetchSockets()).length > 0;\n"
            "client.join(`user:${client.data.user.id}`); // in handleConnection"
        ),
        "python-socketio": (
            "Store no such flag: ask the user's room when it is needed; it is empty when the last tab has closed.\n"
            'is_online = any(sio.manager.get_participants("/", f"user:{user_id}"))\n'
            'await sio.enter_room(sid, f"user:{user_id}")  # in the connect handler'
        ),
        "flask": (
            "Store no such flag: ask the user's room when it is needed; it is empty when the last tab has closed.\n"
            'is_online = any(socketio.server.manager.get_participants("/", f"user:{user_id}"))\n'
            'join_room(f"user:{current_user.id}")  # in the connect handler'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
