"""RM081: a join of a room that the client names."""

import re
from collections.abc import Iterable

from lab.check.actions import Move
from lab.check.claims import claims_in, has_accounts
from lab.check.facts import Facts
from lab.check.guards import is_guarded
from lab.check.identity import uses_identity, verifies
from lab.check.ir import Node
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.tags import Tag

# fixed names of rooms for staff
STAFF = re.compile(r"(admins?|staff|moderators?|operators?|dispatch(ers)?|support|internal)(_?room|s)?$", re.I)

UNCHECKED = "the checker found no check that this user may join the room"
OPEN = "may each user who can log in join each room?"


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each unchecked join of a room that the client names.

    A join is unchecked if nothing like `if (!isMember(user, room)) return;` comes before it. An unchecked join of a
    room for staff, such as `admins`, is yielded, too.
    """
    accounts = has_accounts(facts)
    seen: set[int] = set()
    for move, room in facts.rooms.joins:
        if id(move) in seen or not (facts.is_named_by_client(room) or _is_privileged(facts, move, room)):
            continue
        if is_guarded(facts, move.node, room, is_open=not accounts):
            continue
        seen.add(id(move))
        if _is_one_group(facts):
            yield Hit(move.module.path, move.node, OPEN, "question", part=room)
        else:
            yield Hit(move.module.path, move.node, UNCHECKED, part=room)


def _is_one_group(facts: Facts) -> bool:
    """Tell whether all users of the app probably have the same permissions.

    That is so if a connect handler or a middleware checks who the client is, and no event handler uses this identity or
    takes an identity, such as a user id, from a payload.
    """
    if not verifies(facts, "connect", "middleware"):
        return False
    return not any(uses_identity(facts, handler) or any(claims_in(facts, handler)) for handler in facts.events)


def _is_privileged(facts: Facts, move: Move, room: Node) -> bool:
    """Tell whether an event handler joins a room for staff.

    `move` is the join, and `room` is the room, such as `admins`. If the name of the room comes from the verified user,
    the result is False.
    """
    shape = facts.rooms.shape(room) or ""
    return bool(STAFF.match(shape)) and facts.always(move.node, "event") and not facts.values.of(room) & Tag.USER


NODE = Snippet(
    bad="""\
export function register(io) {
  io.on("connection", (socket) => {
    socket.on("room:join", (room, reply) => {
      socket.join(room); // <- RM081
      reply({ ok: true });
    });

    socket.on("job:open", ({ jobId }) => {
      socket.join(`job:${jobId}`); // <- RM081
    });
  });
}
""",
    good="""\
import { mayJoin } from "./entitlements.js";
import { Job } from "./models/job.js";

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join([`user:${user.id}`, `company:${user.company}`]);

    socket.on("room:join", async (room, reply) => {
      if (!(await mayJoin(user, room))) return reply({ error: "forbidden" });
      socket.join(room);
      reply({ ok: true });
    });

    socket.on("job:open", async ({ jobId }) => {
      const job = await Job.findOne({ _id: jobId, driver: user.id });
      if (!job) return;
      socket.join(`job:${jobId}`);
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { JoinRoom } from "./join-room";
"""
    + GATEWAY
    + """\
  @SubscribeMessage("room:join")
  async join(@ConnectedSocket() client: Socket, @MessageBody() wanted: JoinRoom) {
    await client.join(wanted.room); // <- RM081
    return { room: wanted.room };
  }
}
""",
    good="""\
import { WsException } from "@nestjs/websockets";
import { AccessService, JoinRoom } from "./access";
"""
    + GATEWAY
    + """\
  constructor(private readonly access: AccessService) {}

  @SubscribeMessage("room:join")
  async join(@ConnectedSocket() client: Socket, @MessageBody() wanted: JoinRoom) {
    if (!(await this.access.mayJoin(client.data.user, wanted.room))) throw new WsException("forbidden");
    await client.join(wanted.room);
    return { room: wanted.room };
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
def register(sio):
    @sio.on("room:join")
    async def join(sid, data):
        await sio.enter_room(sid, data["room"])  # <- RM081
        return {"room": data["room"]}
""",
    good="""\
from .auth import verify_token
from .entitlements import may_join


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        await sio.enter_room(sid, f"company:{user.company}")

    @sio.on("room:join")
    async def join(sid, data):
        user = (await sio.get_session(sid))["user"]
        if not await may_join(user, data["room"]):
            return {"error": "forbidden"}
        await sio.enter_room(sid, data["room"])
        return {"room": data["room"]}
""",
)

FLASK = Snippet(
    bad="""\
from flask_socketio import join_room


def register(socketio):
    @socketio.on("room:join")
    def join(data):
        join_room(data["room"])  # <- RM081
        return {"room": data["room"]}
""",
    good="""\
from flask_login import current_user
from flask_socketio import join_room

from .models import Membership


def register(socketio):
    @socketio.on("room:join")
    def join(data):
        member = Membership.query.filter_by(room=data["room"], user_id=current_user.id).first()
        if member is None:
            return {"error": "forbidden"}
        join_room(data["room"])
        return {"room": data["room"]}
""",
)

RULE = Rule(
    id="RM081",
    mistake="08",
    level="error",
    title="join of a room that the client names",
    what="An event joins the socket to the room that its payload names, without a check.",
    why=(
        "Any user who can open a browser console joins any room, and reads the private messages of other users, "
        "companies and roles."
    ),
    exceptions=(
        "A check before the join: a member, permission or role is compared, or the room is looked up together "
        "with the verified user. In an app that verifies a login, and in no event uses who the client is, it is a "
        "question: all users may have the same rights."
    ),
    fix={
        "node": (
            "Join only rooms that the server computes from the verified user, or check before the join that this user "
            "may be in the room: `mayJoin` is a function that you write, such as a database query for the members.\n"
            "if (!(await mayJoin(socket.data.user, room))) return; // in an async handler that catches errors\n"
            "socket.join(`user:${socket.data.user.id}`); // instead, if it is the user's own room"
        ),
        "nest": (
            "Join only rooms that the server computes from the verified user, or check before the join that this user "
            "may be in the room: `access` is a service that you write, such as a database query for the members.\n"
            "// in an async handler; WsException is in @nestjs/websockets\n"
            'if (!(await this.access.mayJoin(client.data.user, room))) throw new WsException("forbidden");\n'
            "client.join(`user:${client.data.user.id}`); // instead, if it is the user's own room"
        ),
        "python-socketio": (
            "Join only rooms that the server computes from the verified user, or check before the join that this user "
            "may be in the room: `may_join` is a function that you write, such as a database query for the members.\n"
            'user = (await sio.get_session(sid))["user"]  # saved in the connect handler, from a verified token\n'
            "if not await may_join(user, room): return\n"
            'await sio.enter_room(sid, f"user:{user_id}")  # instead, if it is the user\'s own room'
        ),
        "flask": (
            "Join only rooms that the server computes from the verified user, or check before the join that this user "
            "may be in the room: `may_join` is a function that you write, such as a database query for the members.\n"
            "if not may_join(current_user, room): return\n"
            'join_room(f"user:{current_user.id}")  # instead, if it is the user\'s own room'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
    severity="7.5",
)
