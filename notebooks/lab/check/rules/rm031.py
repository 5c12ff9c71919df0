"""RM031: own rooms joined in a login event only."""

import re
from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.guards import names_in
from lab.check.ir import Const, Node
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.tags import Tag

LOGIN = re.compile(
    r"login|log_in|identi|regist|auth|setup|init|online|user|join|add|connect|hello|subscribe|active|ready|start", re.I
)
OWN = re.compile(
    r"^(user|uid|me|self|driver|captain|customer|rider|member|account|employee|agent|seller|owner|profile)s?_?(id|data|name|info)?$",
    re.I,
)


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each join of a user's own rooms in an event, if no join of the kind happens at connect."""
    at_connect = {
        facts.shape(room)
        for move in facts.actions.joins
        for room in move.rooms
        if facts.handlers_at(move.node, "connect", "middleware")
    }
    for move in facts.actions.joins:
        if not move.own or not facts.always(move.node, "event"):
            continue
        handlers = facts.handlers_at(move.node)
        if not any(LOGIN.search(handler.event) or LOGIN.search(handler.func.name) for handler in handlers):
            continue
        for room in move.rooms:
            if _is_own(facts, room) and facts.shape(room) not in at_connect:
                yield Hit(move.module.path, move.node, "the user's own rooms are joined in an event, not at connect")
                break


def _is_own(facts: Facts, room: Node) -> bool:
    """Tell whether a room belongs to one user: named by a user id, or computed from the verified identity."""
    found = facts.follow(room)
    names = [name for name in names_in(found) if not isinstance(found, Const)]
    if Tag.USER in facts.values.of(room):
        return True
    if any(
        re.search(r"room|group|channel|conversation|chat|order|game|ride|match|topic|project|doc", name, re.I)
        for name in names
    ):
        return False
    return any(OWN.match(name) for name in names)


NODE = Snippet(
    bad="""\
import { verifyToken } from "./auth.js";

export function register(io) {
  io.on("connection", (socket) => {
    socket.on("login", async (token, reply) => {
      const user = await verifyToken(token);
      socket.data.user = user;
      socket.join(`user:${user.id}`); // <- RM031
      reply({ user: user.id });
    });
  });
}
""",
    good="""\
import { verifyToken } from "./auth.js";

export function register(io) {
  io.use(async (socket, next) => {
    try {
      socket.data.user = await verifyToken(socket.handshake.auth.token);
      next();
    } catch {
      next(new Error("unauthorized"));
    }
  });
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);

    socket.on("profile:get", (reply) => reply({ user: user.id }));
  });
}
""",
)

NEST = Snippet(
    bad=GATEWAY
    + """\
  @SubscribeMessage("login")
  async logIn(@ConnectedSocket() client: Socket) {
    const { user } = client.data;
    await client.join(`user:${user.id}`); // <- RM031
    return { user: user.id };
  }
}
""",
    good=GATEWAY
    + """\
  async handleConnection(@ConnectedSocket() client: Socket) {
    await client.join(`user:${client.data.user.id}`);
  }

  @SubscribeMessage("login")
  logIn(@ConnectedSocket() client: Socket) {
    return { user: client.data.user.id };
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
from .auth import verify_token


def register(sio):
    @sio.on("session:login")
    async def log_in(sid, token):
        user = verify_token(token)
        await sio.save_session(sid, {"user": user})
        await sio.enter_room(sid, f"user:{user.id}")  # <- RM031
        return {"user": user.id}
""",
    good="""\
from .auth import verify_token


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        await sio.enter_room(sid, f"user:{user.id}")

    @sio.on("profile:get")
    async def profile(sid):
        return {"user": (await sio.get_session(sid))["user"].id}
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user
from flask_socketio import join_room


def register(socketio):
    @socketio.on("login")
    def log_in():
        join_room(f"user:{current_user.id}")  # <- RM031
        return {"user": current_user.id}
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

    @socketio.on("profile:get")
    def profile():
        return {"user": current_user.id}
""",
)

RULE = Rule(
    id="RM031",
    mistake="03",
    level="warning",
    title="own rooms joined only in a login event",
    what=(
        "The rooms of the user are joined in an event such as `login`, which the page sends once, and not when "
        "the socket connects."
    ),
    why=(
        "The client library reconnects without the page, so nobody sends the event again. The socket is then open "
        "and can send, but it receives nothing until the page is reloaded."
    ),
    exceptions=(
        "The rooms are joined at connect, too. Or the server refuses all other events until the login event was "
        "sent, so that each client must send it at every connect."
    ),
    fix={
        "node": (
            "Verify the token in `io.use(…)`, and join the rooms in the connection handler, which runs again "
            "after every reconnect."
        ),
        "nest": (
            "Verify the token in a middleware set in `afterInit`, and join the rooms in `handleConnection`, which "
            "runs again after every reconnect."
        ),
        "python-socketio": (
            "Verify the token in the connect handler, and call `await sio.enter_room(…)` there; it runs again "
            "after every reconnect."
        ),
        "flask": (
            "Verify the user in the connect handler, and call `join_room(…)` there; it runs again after every "
            "reconnect."
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
