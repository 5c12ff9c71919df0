"""RM083: an emit to a room that the client names."""

from collections.abc import Iterable

from lab.check.actions import Emit, Move
from lab.check.facts import Facts
from lab.check.guards import is_guarded
from lab.check.kept_ids import is_invitation
from lab.check.known_rooms import is_joined
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.scopes import function_of
from lab.check.tags import Tag

UNCHECKED = "the checker found no check that this user may send to the room"


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each unchecked emit to a room that the client names.

    An emit is unchecked if nothing like `if (!isMember(user, room)) return;` comes before it. The room can also be a
    socket id that the client sends.
    """
    for emit, room in facts.rooms.emits:
        if not facts.is_named_by_client(room) or (facts.is_stored_id(room) and Tag.IDS in facts.values.of(room)):
            continue
        if is_invitation(facts, emit, room):
            continue
        if _has_joined(facts, emit) or is_joined(facts, room) or is_guarded(facts, emit.node, room, strict=True):
            continue
        yield Hit(emit.module.path, emit.node, UNCHECKED, part=room)


def _has_joined(facts: Facts, emit: Emit) -> bool:
    """Tell whether the handler that runs `emit` joins a room before.

    If so, RM083 does not report the emit: RM081 looks for the permission check, which belongs before the join.
    """
    joins = facts.once(_joins_by_handler)
    moves = (move for handler in facts.handlers_at(emit.node) for move in joins.get(id(handler.func), []))
    here = function_of(emit.node)
    return any(function_of(move.node) is not here or move.node.line <= emit.node.line for move in moves)


def _joins_by_handler(facts: Facts) -> dict[int, list[Move]]:
    found: dict[int, list[Move]] = {}
    for move in facts.actions.joins:
        for handler in facts.handlers_at(move.node):
            found.setdefault(id(handler.func), []).append(move)
    return found


NODE = Snippet(
    bad="""\
export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`company:${user.company}`);

    socket.on("chat:send", (message, reply) => {
      io.to(message.room).emit("chat:message", { from: user.id, text: message.text }); // <- RM083
      reply({ ok: true });
    });
  });
}
""",
    good="""\
import { findOwnConversation } from "./conversations.js";

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join([`user:${user.id}`, `company:${user.company}`]);

    socket.on("chat:send", (message, reply) => {
      if (!socket.rooms.has(message.room)) return reply({ error: "forbidden" });
      io.to(message.room).emit("chat:message", { from: user.id, text: message.text });
      reply({ ok: true });
    });

    // looked up together with the verified user
    socket.on("direct:send", async (message, reply) => {
      const conversation = await findOwnConversation(message.conversation, user.id);
      if (!conversation) return reply({ error: "forbidden" });
      io.to(`user:${conversation.peerId}`).emit("direct:message", { from: user.id, text: message.text });
      reply({ ok: true });
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { Typing } from "./typing";
"""
    + GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`company:${client.data.user.company}`);
  }

  @SubscribeMessage("chat:typing")
  typing(@ConnectedSocket() client: Socket, @MessageBody() message: Typing) {
    client.to(message.room).emit("chat:typing", { user: client.data.user.id }); // <- RM083
  }
}
""",
    good="""\
import { WsException } from "@nestjs/websockets";
import { Typing } from "./typing";
"""
    + GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`company:${client.data.user.company}`);
  }

  @SubscribeMessage("chat:typing")
  typing(@ConnectedSocket() client: Socket, @MessageBody() message: Typing) {
    if (!client.rooms.has(message.room)) throw new WsException("forbidden");
    client.to(message.room).emit("chat:typing", { user: client.data.user.id });
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
        await sio.save_session(sid, {"user": user})
        await sio.enter_room(sid, f"company:{user.company}")

    @sio.on("chat:send")
    async def send(sid, data):
        user = (await sio.get_session(sid))["user"]
        await sio.emit("chat:message", {"from": user.id, "text": data["text"]}, to=data["room"])  # <- RM083
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
    async def send(sid, data):
        if data["room"] not in sio.rooms(sid):
            return {"error": "forbidden"}
        user = (await sio.get_session(sid))["user"]
        await sio.emit("chat:message", {"from": user.id, "text": data["text"]}, to=data["room"])
        return {"ok": True}
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user
from flask_socketio import emit, join_room


def register(socketio):
    @socketio.on("connect")
    def connect():
        join_room(f"company:{current_user.company_id}")

    @socketio.on("chat:send")
    def send(data):
        message = {"from": current_user.id, "text": data["text"]}
        emit("chat:message", message, to=data["room"])  # <- RM083
""",
    good="""\
from flask_login import current_user
from flask_socketio import emit, join_room, rooms


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        join_room(f"company:{current_user.company_id}")

    @socketio.on("chat:send")
    def send(data):
        if data["room"] not in rooms():
            return {"error": "forbidden"}
        message = {"from": current_user.id, "text": data["text"]}
        emit("chat:message", message, to=data["room"])
        return {"ok": True}
""",
)

RULE = Rule(
    id="RM083",
    mistake="08",
    level="warning",
    title="emit to a room that the client names",
    what="A message is emitted to the room or the socket id that the payload names, without a check.",
    why=(
        "Any user can send into any room: a chat of another company, the private room of another user, the room "
        "of a role."
    ),
    exceptions=(
        "A check before the emit: a member, permission or role, a look-up by room and verified user, or "
        "membership in the socket's own rooms. An invitation to a call may go to a named user."
    ),
    fix={
        "node": (
            "Check before the emit that the sender is in the room, and before a join who may be in it. After a "
            "reconnect, a socket is in no room: the page joins again at each `connect`.\n"
            "if (!socket.rooms.has(room)) return;"
        ),
        "nest": (
            "Check before the emit that the sender is in the room, and before a join who may be in it. After a "
            "reconnect, a socket is in no room: the page joins again at each `connect`.\n"
            'if (!client.rooms.has(room)) throw new WsException("forbidden");'
        ),
        "python-socketio": (
            "Check before the emit that the sender is in the room, and before a join who may be in it. After a "
            "reconnect, a socket is in no room: the page joins again at each `connect`.\n"
            "if room not in sio.rooms(sid): return"
        ),
        "flask": (
            "Check before the emit that the sender is in the room, and before a join who may be in it. After a "
            "reconnect, a socket is in no room: the page joins again at each `connect`. `rooms` is in flask_socketio.\n"
            "if room not in rooms(): return"
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
    severity="6.5",
)
