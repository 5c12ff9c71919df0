"""RM041: room membership kept in a database."""

import re
from collections.abc import Iterable, Iterator

from lab.check.facts import Facts
from lab.check.habits import PEOPLE, call_from, is_injected, is_record, sql_of
from lab.check.ir import Assign, Call, Member, Name, Node, Record
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.stores import Write, writes

# tables and models of who is in a room
MEMBERS = r"\w*(members?|participants?|room_?users?|memberships?)\w*"
READS = re.compile(rf"select\b.*\bfrom\s+{MEMBERS}.*\bwhere\b(?!.*\b(user|account|member)_?id\s*=)", re.I | re.S)
WRITES = re.compile(rf"(insert\s+(or\s+\w+\s+)?into|delete\s+from|update)\s+{MEMBERS}", re.I)
MODEL = re.compile(rf"^{MEMBERS}$", re.I)
FINDS = re.compile(r"^(find\w*|filter\w*|get|select|query|where|fetch\w*|list\w*|all)$")


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each use of a database for who is in a room, in a handler that joins, leaves or emits."""
    moving = {id(handler.func) for node in _moves(facts) for handler in facts.handlers_at(node, "event", "connect")}
    seen: set[tuple[str, int]] = set()
    for node in _uses(facts):
        handlers = [handler for handler in facts.handlers_at(node, "event", "connect") if id(handler.func) in moving]
        if not handlers:
            continue
        place = call_from(facts, handlers[0], node)
        if (facts.path_of(place), place.line) not in seen:
            seen.add((facts.path_of(place), place.line))
            yield Hit(facts.path_of(place), place, "is this who is in the room now, or only who may be in it?")


def _moves(facts: Facts) -> Iterator[Node]:
    """Yield the joins, leaves and emits of the project."""
    yield from (move.node for move in (*facts.actions.joins, *facts.actions.leaves))
    yield from (emit.node for emit in facts.actions.emits if emit.aim != "self")


def _uses(facts: Facts) -> Iterator[Node]:
    """Yield the reads and writes of the members of rooms."""
    for write in writes(facts):
        if not facts.keeps(write.place) and _changes_people(facts, write):
            yield write.node
    for _, node in facts.nodes(Call):
        if isinstance(node, Call) and (_runs_sql(facts, node) or _asks_model(facts, node)):
            yield node


def _runs_sql(facts: Facts, call: Call) -> bool:
    text = sql_of(facts, call)
    return bool(READS.search(text) or WRITES.search(text))


def _asks_model(facts: Facts, call: Call) -> bool:
    """Tell whether a call lists the members of a room, for which it does not name a user."""
    if not isinstance(call.func, Member) or not FINDS.match(call.func.name):
        return False
    obj = call.func.obj
    while isinstance(obj, Member) and obj.name in ("query", "objects"):
        obj = obj.obj
    if not isinstance(obj, Name | Member) or not MODEL.match(obj.name) or (facts.keeps(obj) and not is_injected(obj)):
        return False
    given = [part for arg in (*call.args, *(value for _, value in call.keywords)) for part in arg.walk()]
    named = {str(getattr(key, "value", "")) for part in given if isinstance(part, Record) for key, _ in part.items}
    named |= {name for name, _ in call.keywords if name}
    return bool(named) and not any(re.search(r"user|account|member", name, re.I) for name in named)


def _changes_people(facts: Facts, write: Write) -> bool:
    if write.kind == "field":
        target = write.node.target if isinstance(write.node, Assign) else None
        return isinstance(target, Member) and bool(PEOPLE.match(target.name)) and is_record(facts, target.obj)
    records = [part for part in write.value.walk() if isinstance(part, Record)] if write.kind == "record" else []
    keys = [str(getattr(key, "value", "")) for record in records for key, _ in record.items]
    return any(PEOPLE.match(key.split(".")[0]) for key in keys) and not {
        "$push",
        "$addToSet",
        "$pull",
        "$inc",
    }.isdisjoint(keys)


NODE = Snippet(
    bad="""\
import { db } from "./database.js";

export function register(io) {
  io.on("connection", async (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);

    socket.on("chat:send", async (text) => {
      const { rows } = await db.query("SELECT user_id FROM room_members WHERE room = $1", [user.company]); // <- RM041
      for (const row of rows) {
        io.to(`user:${row.user_id}`).emit("chat:message", { from: user.id, text });
      }
    });
    await db.query("INSERT INTO room_members (room, user_id) VALUES ($1, $2)", [user.company, user.id]); // <- RM041
  });
}
""",
    good="""\
import { isAssigned } from "./jobs.js";

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;

    socket.on("job:open", async (jobId) => {
      // who may be in the room is asked of the database
      if (!(await isAssigned(jobId, user.id))) return;
      socket.join(`job:${jobId}`);
    });

    socket.on("chat:send", (jobId, text) => {
      if (!socket.rooms.has(`job:${jobId}`)) return;
      io.to(`job:${jobId}`).emit("chat:message", { from: user.id, text });
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { ChatMessage, RoomMembersRepository } from "./room-members";
"""
    + GATEWAY
    + """\
  constructor(private readonly members: RoomMembersRepository) {}

  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`);
  }

  @SubscribeMessage("chat:send")
  async send(@ConnectedSocket() client: Socket, @MessageBody() message: ChatMessage) {
    const members = await this.members.find({ where: { room: client.data.user.company } }); // <- RM041
    const rooms = members.map((member) => `user:${member.userId}`);
    this.server.to(rooms).emit("chat:message", { from: client.data.user.id, text: message.text });
  }
}
""",
    good="""\
import { ChatMessage } from "./chat-message";
"""
    + GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`company:${client.data.user.company}`);
  }

  @SubscribeMessage("chat:send")
  send(@ConnectedSocket() client: Socket, @MessageBody() message: ChatMessage) {
    const { user } = client.data;
    this.server.to(`company:${user.company}`).emit("chat:message", { from: user.id, text: message.text });
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
        await sio.enter_room(sid, f"user:{user.id}")

    @sio.on("chat:send")
    async def send(sid, text):
        user = (await sio.get_session(sid))["user"]
        rows = await database.fetch_all("SELECT user_id FROM room_members WHERE room = $1", user.company)  # <- RM041
        for row in rows:
            await sio.emit("chat:message", {"from": user.id, "text": text}, to=f"user:{row['user_id']}")
""",
    good="""\
from .auth import verify_token


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        await sio.enter_room(sid, f"company:{user.company}")

    @sio.on("chat:send")
    async def send(sid, text):
        user = (await sio.get_session(sid))["user"]
        await sio.emit("chat:message", {"from": user.id, "text": text}, to=f"company:{user.company}")
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user
from flask_socketio import emit, join_room

from .models import RoomMember


def register(socketio):
    @socketio.on("connect")
    def connect():
        join_room(f"user:{current_user.id}")

    @socketio.on("chat:send")
    def send(text):
        members = RoomMember.query.filter_by(room=current_user.company_id).all()  # <- RM041
        for member in members:
            emit("chat:message", {"from": current_user.id, "text": text}, to=f"user:{member.user_id}")
""",
    good="""\
from flask_login import current_user
from flask_socketio import emit, join_room


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        join_room(f"company:{current_user.company_id}")

    @socketio.on("chat:send")
    def send(text):
        room = f"company:{current_user.company_id}"
        emit("chat:message", {"from": current_user.id, "text": text}, to=room)
""",
)

RULE = Rule(
    id="RM041",
    mistake="04",
    level="question",
    title="room membership in a database",
    what="Who is in a room is read from, or written to, a database next to a join, a leave or an emit.",
    why=(
        "A database does not know which sockets are connected. After a crash, or after one of two tabs closes, "
        "the table and the rooms disagree: members who are connected receive nothing, and members who are gone "
        "are sent to. Each message also costs a query."
    ),
    exceptions=(
        "Who may be in a room is business data and belongs in a database. Only who is in it now belongs to Socket.IO."
    ),
    fix={
        "node": (
            "Check the entitlement once when the socket joins, then emit with `io.to(room)`; check membership "
            "with `socket.rooms.has(room)`."
        ),
        "nest": (
            "Check the entitlement once when the socket joins, then emit with `this.server.to(room)`; check "
            "membership with `client.rooms.has(room)`."
        ),
        "python-socketio": (
            "Check the entitlement once when the socket joins, then emit with `to=room`; check membership with "
            "`sio.rooms(sid)`."
        ),
        "flask": (
            "Check the entitlement once when the socket joins, then emit with `to=room`; check membership with "
            "`rooms()`."
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
