"""RM041: room membership kept in a database."""

from collections.abc import Iterable, Iterator

from lab.check.facts import Facts
from lab.check.ir import Node
from lab.check.membership import membership_uses
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.running import call_from


def find(facts: Facts) -> Iterable[Hit]:
    """Yield code that reads or writes a room's members in a database.

    Only code in a connect or event handler is reported, and only if this handler also joins a room, leaves a room or
    emits to other clients.
    """
    moving = {id(handler.func) for node in _moves(facts) for handler in facts.handlers_at(node, "event", "connect")}
    seen: set[tuple[str, int]] = set()
    for node in membership_uses(facts):
        handlers = [handler for handler in facts.handlers_at(node, "event", "connect") if id(handler.func) in moving]
        if not handlers:
            continue
        place = call_from(facts, handlers[0], node)
        if (facts.path_of(place), place.line) not in seen:
            seen.add((facts.path_of(place), place.line))
            yield Hit(facts.path_of(place), place, "is this who is in the room now, or only who may be in it?")


def _moves(facts: Facts) -> Iterator[Node]:
    """Yield the calls that join a room, leave a room or emit.

    Emits to the sender are left out.
    """
    yield from (move.node for move in (*facts.actions.joins, *facts.actions.leaves))
    yield from (emit.node for emit in facts.actions.emits if emit.aim != "self")


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
        "A database does not know which sockets are connected now, so it and the rooms disagree in time. After a "
        "crash, or after one of two tabs closes, the table and the rooms disagree: members who are connected "
        "receive nothing, and members who are gone are sent to. Each message also costs a query."
    ),
    exceptions=(
        "Who may be in a room is business data and belongs in a database. Only who is in it now belongs to Socket.IO."
    ),
    fix={
        "node": (
            "Ask the database once, who may join. Who is in the room now, ask Socket.IO.\n"
            "if (await mayJoin(socket.data.user, room)) socket.join(room); // at each connection\n"
            'if (socket.rooms.has(room)) io.to(room).emit("event", data);'
        ),
        "nest": (
            "Ask the database once, who may join. Who is in the room now, ask Socket.IO.\n"
            "if (await this.access.mayJoin(client.data.user, room)) client.join(room); // in handleConnection\n"
            'if (client.rooms.has(room)) this.server.to(room).emit("event", data);'
        ),
        "python-socketio": (
            "Ask the database once, who may join. Who is in the room now, ask Socket.IO.\n"
            "if await may_join(user, room): await sio.enter_room(sid, room)  # in the connect handler\n"
            'if room in sio.rooms(sid): await sio.emit("event", data, to=room)'
        ),
        "flask": (
            "Ask the database once, who may join. Who is in the room now, ask Socket.IO.\n"
            "if may_join(current_user, room): join_room(room)  # in the connect handler\n"
            'if room in rooms(): emit("event", data, to=room)'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
