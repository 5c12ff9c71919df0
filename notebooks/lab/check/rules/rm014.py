"""RM014: a database field with a name like `socketId`."""

import re
from collections.abc import Iterable, Iterator

from lab.check.facts import Facts
from lab.check.ir import Assign, Call, Class, Const, Field, Member, Name, Node, Record
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.scopes import Module

# fields of schemas for socket ids
FIELD = re.compile(
    # socket_id, hostSocketIds
    r"(socket|sock|sio)_?ids?(At[A-Z]\w*)?$"
    # sid, host_sid, latestSid; not the ids of a telephone service, or of a document
    r"|^((host|player|user|owner|driver|client|member|admin|guest|peer|sender|latest|last|current|old|new)_?)?sids?$",
    re.I,
)
# classes of what is sent, not kept
EVENT = re.compile(r"event|request|response|payload|message|input|args|data$", re.I)
# functions that make a schema, and those that make a column
SCHEMA = re.compile(r"(schema|model|define|createTable|Entity|Table|InferSchema)", re.I)
COLUMN = re.compile(r"(Column|mapped_column|CharField|TextField|StringField|Prop|relationship|db\.String)$")


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each column or schema field with a name like `socketId`."""
    for module, node in facts.nodes(Call, Class):
        if isinstance(node, Call) and SCHEMA.search(getattr(node.func, "name", "")):
            for place in _keys(node):
                yield Hit(module.path, place, "a schema has a field for the ids of sockets")
        elif isinstance(node, Class):
            yield from _in_class(module, node)


def _keys(call: Call) -> Iterator[Node]:
    """Yield the fields of a schema that have a name like `socketId`.

    `call` makes the schema, as in `new Schema({ socketId: String })`. Objects inside this object are searched, too.
    """
    waiting = [(arg, 3) for arg in call.args if isinstance(arg, Record)]
    while waiting:
        record, depth = waiting.pop()
        for key, value in record.items:
            if isinstance(key, Const) and FIELD.search(str(key.value)):
                yield key
            elif isinstance(value, Record) and depth:
                waiting.append((value, depth - 1))


def _in_class(module: Module, cls: Class) -> Iterator[Hit]:
    for part in cls.body:
        match part:
            case Field(name=name, decorators=decorators, value=value) if FIELD.search(name):
                columns = [item for item in decorators if COLUMN.search(_called(item))] or _is_model(cls)
                if columns or (cls.kind == "class" and isinstance(value, Record)) or COLUMN.search(_called(value)):
                    yield Hit(module.path, part, "a field is named for the ids of sockets")
            case Assign(target=Name(name=name), value=value) if FIELD.search(name) and COLUMN.search(_called(value)):
                yield Hit(module.path, part, "a column is named for the ids of sockets")


def _is_model(cls: Class) -> bool:
    """Tell whether a Python class declares records that a program keeps.

    That is so for a dataclass and for a model, such as a Pydantic model. A class with a name like `ChatEvent` does not
    count, because its instances are sent and not kept.
    """
    names = {_called(part) for part in (*cls.bases, *cls.decorators)}
    return bool(names & {"BaseModel", "dataclass", "SQLModel", "Document", "TypedDict"}) and not EVENT.search(cls.name)


def _called(node: Node | None) -> str:
    func = node.func if isinstance(node, Call) else node
    return func.name if isinstance(func, (Name, Member)) else ""


NODE = Snippet(
    bad="""\
import mongoose from "mongoose";

const driverSchema = new mongoose.Schema({
  socketId: { type: String }, // <- RM014
});
export const Driver = mongoose.model("Driver", driverSchema);

export function register(io) {
  io.on("connection", (socket) => socket.join(`driver:${socket.data.user.id}`));
}
""",
    good="""\
import mongoose from "mongoose";

const driverSchema = new mongoose.Schema({ name: String });
export const Driver = mongoose.model("Driver", driverSchema);

export function register(io) {
  io.on("connection", (socket) => socket.join(`driver:${socket.data.user.id}`));
}
""",
)

NEST = Snippet(
    bad="""\
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
"""
    + GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`driver:${client.data.user.id}`);
  }
}

@Entity()
export class Driver {
  @PrimaryGeneratedColumn("uuid") id: string;
  @Column() name: string;
  @Column({ nullable: true }) socketId: string; // <- RM014
}
""",
    good="""\
import { Column, Entity, PrimaryGeneratedColumn } from "typeorm";
"""
    + GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`driver:${client.data.user.id}`);
  }
}

@Entity()
export class Driver {
  @PrimaryGeneratedColumn("uuid") id: string;
  @Column() name: string;
  @Column() companyId: string;
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from .auth import verify_token
from .database import Base


class Driver(Base):
    __tablename__ = "drivers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    socket_id: Mapped[str | None] = mapped_column(String(20))  # <- RM014


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        await sio.enter_room(sid, f"driver:{verify_token(auth['token']).id}")
""",
    good="""\
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from .auth import verify_token
from .database import Base


class Driver(Base):
    __tablename__ = "drivers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        await sio.enter_room(sid, f"driver:{verify_token(auth['token']).id}")
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user
from flask_socketio import join_room

from .database import db


class Driver(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(100), nullable=False)
    socket_id = db.Column(db.String(20))  # <- RM014


def register(socketio):
    @socketio.on("connect")
    def connect():
        join_room(f"driver:{current_user.id}")
""",
    good="""\
from flask_login import current_user
from flask_socketio import join_room

from .database import db


class Driver(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(100), nullable=False)
    company_id = db.Column(db.Integer, db.ForeignKey("company.id"))


def register(socketio):
    @socketio.on("connect")
    def connect():
        join_room(f"driver:{current_user.id}")
""",
)

RULE = Rule(
    id="RM014",
    mistake="01",
    level="error",
    title="schema field for socket ids",
    what="A column, a field of a model or a type is named for socket ids.",
    why=(
        "The field is where stale ids come from: it is wrong after every reconnect, and it has room for one tab "
        "or device only, or grows without limit."
    ),
    exceptions="There is none known. If the field holds something else, give it a name that says so.",
    fix={
        "node": (
            "Remove the field, its writes and its reads. To emit, or to ask who is online, use the user's room.\n"
            'socket.join(`user:${socket.data.user.id}`); // in io.on("connection", …)\n'
            'io.to(`user:${userId}`).emit("event", data);\n'
            "const isOnline = (await io.in(`user:${userId}`).fetchSockets()).length > 0;"
        ),
        "nest": (
            "Remove the field, its writes and its reads. To emit, or to ask who is online, use the user's room.\n"
            "client.join(`user:${client.data.user.id}`); // in handleConnection\n"
            'this.server.to(`user:${userId}`).emit("event", data);\n'
            "const isOnline = (await this.server.in(`user:${userId}`).fetchSockets()).length > 0;"
        ),
        "python-socketio": (
            "Remove the field, its writes and its reads. To emit, or to ask who is online, use the user's room.\n"
            'await sio.enter_room(sid, f"user:{user_id}")  # in the connect handler\n'
            'await sio.emit("event", data, to=f"user:{user_id}")\n'
            'is_online = any(sio.manager.get_participants("/", f"user:{user_id}"))'
        ),
        "flask": (
            "Remove the field, its writes and its reads. To emit, or to ask who is online, use the user's room.\n"
            'join_room(f"user:{current_user.id}")  # in the connect handler\n'
            'socketio.emit("event", data, to=f"user:{user_id}")\n'
            'is_online = any(socketio.server.manager.get_participants("/", f"user:{user_id}"))'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
