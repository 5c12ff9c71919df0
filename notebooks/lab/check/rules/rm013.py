"""RM013: a socket id written to a database record."""

import re
from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.ir import Assign, Call, Member
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.stores import Write, parts_with_id, writes
from lab.check.tags import Tag

# fields of records for socket ids
FIELD = re.compile(r"(socket|sock)_?ids?|^sids?$|connection_?id", re.I)


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each socket id that is written to a database record."""
    for write in writes(facts):
        found = next(parts_with_id(facts, write.value), None) if _is_record(facts, write) else None
        if found is not None:
            # the id may be in a record that a caller passes
            yield Hit(facts.path_of(found[1]), found[1], "the id of a socket is written to the database")
        elif write.kind == "field" and _is_record_field(facts, write):
            yield Hit(write.module.path, write.node, "the id of a socket is written to a field of a record")


def _is_record(facts: Facts, write: Write) -> bool:
    """Tell whether a call writes a database record. A function of the project is no write; its code can have one."""
    return write.kind == "record" and not (isinstance(write.node, Call) and facts.project.callees(write.node))


def _is_record_field(facts: Facts, write: Write) -> bool:
    """Tell whether a statement stores a socket's id in a record.

    An example is `user.socketId = socket.id`. The field must have a name like `socketId`. Every object counts as a
    record, except sockets, servers and collections that outlive the handlers, such as a global dict.
    """
    target = write.node.target if isinstance(write.node, Assign) else None
    if not isinstance(target, Member) or facts.values.of(target.obj) & (Tag.SOCKET | Tag.SERVER):
        return False
    named = FIELD.search(target.name) and not facts.keeps(target.obj)
    return bool(named) and any(True for _ in parts_with_id(facts, write.value))


NODE = Snippet(
    bad="""\
import { User } from "./models/user.js";

export function register(io) {
  io.on("connection", async (socket) => {
    const { user } = socket.data;
    await User.updateOne({ _id: user.id }, { socketId: socket.id }); // <- RM013
  });
}
""",
    good="""\
import { User } from "./models/user.js";

export function register(io) {
  io.on("connection", async (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);
    await User.updateOne({ _id: user.id }, { lastLoginAt: new Date() });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { DriversRepository } from "./drivers";
"""
    + GATEWAY
    + """\
  constructor(private readonly drivers: DriversRepository) {}

  async handleConnection(@ConnectedSocket() client: Socket) {
    const driver = await this.drivers.findOneBy({ id: client.data.user.id });
    driver.socketId = client.id; // <- RM013
    await this.drivers.save(driver);
  }
}
""",
    good="""\
import { DriversRepository } from "./drivers";
"""
    + GATEWAY
    + """\
  constructor(private readonly drivers: DriversRepository) {}

  async handleConnection(@ConnectedSocket() client: Socket) {
    const driver = await this.drivers.findOneBy({ id: client.data.user.id });
    client.join([`user:${driver.id}`, `company:${driver.companyId}`]);
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
        await database.execute("UPDATE users SET socket_id = $1 WHERE id = $2", sid, user.id)  # <- RM013
""",
    good="""\
from .auth import verify_token
from .database import database


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.enter_room(sid, f"user:{user.id}")
        await database.execute("UPDATE users SET last_login = now() WHERE id = $1", user.id)
""",
)

FLASK = Snippet(
    bad="""\
from flask import request
from flask_login import current_user

from .models import db


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        current_user.socket_id = request.sid  # <- RM013
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
""",
)

RULE = Rule(
    id="RM013",
    mistake="01",
    level="error",
    title="socket id written to a database",
    what="The id of a socket is written to a database record, by a query or through an ORM.",
    why=(
        "The record survives the connection, the server's restart and its crash; the id does not. Each reconnect "
        "needs another write, and a second tab or device overwrites the first one."
    ),
    exceptions="The payload that call signalling sends to the other side of a call is not a record.",
    fix={
        "node": (
            "Write no ids, and remove the field: let each connection join a room of its user, and emit to that room. "
            "Name the room for an id that a reconnect does not change: the account's, or a random one that the client "
            "keeps.\n"
            'socket.join(`user:${socket.data.user.id}`); // in io.on("connection", …)\n'
            'io.to(`user:${userId}`).emit("event", data); // in place of each emit to the kept id\n'
            "const isOnline = (await io.in(`user:${userId}`).fetchSockets()).length > 0; // each has `data`"
        ),
        "nest": (
            "Write no ids, and remove the field: let each connection join a room of its user, and emit to that room. "
            "Name the room for an id that a reconnect does not change: the account's, or a random one that the client "
            "keeps.\n"
            "client.join(`user:${client.data.user.id}`); // in handleConnection\n"
            'this.server.to(`user:${userId}`).emit("event", data); // in place of each emit to the kept id\n'
            "const isOnline = (await this.server.in(`user:${userId}`).fetchSockets()).length > 0; // each has `data`"
        ),
        "python-socketio": (
            "Write no ids, and remove the field: let each connection join a room of its user, and emit to that room. "
            "Name the room for an id that a reconnect does not change: the account's, or a random one that the client "
            "keeps.\n"
            'await sio.enter_room(sid, f"user:{user_id}")  # in the connect handler\n'
            'await sio.emit("event", data, to=f"user:{user_id}")  # in place of each emit to the kept id'
        ),
        "flask": (
            "Write no ids, and remove the field: let each connection join a room of its user, and emit to that room. "
            "Name the room for an id that a reconnect does not change: the account's, or a random one that the client "
            "keeps.\n"
            'join_room(f"user:{current_user.id}")  # in the connect handler\n'
            'socketio.emit("event", data, to=f"user:{user_id}")  # in place of each emit to the kept id'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
