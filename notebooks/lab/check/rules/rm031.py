"""RM031: a user's rooms joined in a login event only."""

import re
from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.handlers import Handler
from lab.check.identity import logs_in, verifies
from lab.check.model import Hit, Rule, Snippet
from lab.check.own_rooms import is_own_room
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.scopes import class_of

# events in which a client says that it is there
LOGIN = re.compile(
    r"login|log_in|identi|register|auth|user|online|active|hello|join|add|subscribe|connect|setup|init|ready|start",
    re.I,
)


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each join of a user's own room in a login event.

    Such a room belongs to one user. It is left out if a connect handler joins it, too.
    """
    at_connect = {
        (_gateway(handler), facts.rooms.shape(room))
        for move, room in facts.rooms.joins
        for handler in facts.handlers_at(move.node, "connect", "middleware")
    }
    # without it the client has to log in at every connect, so that this event is one
    known = verifies(facts, "connect", "middleware")
    seen: set[int] = set()
    for move, room in facts.rooms.joins:
        if id(move) in seen or not move.own or not facts.always(move.node, "event"):
            continue
        handlers = facts.handlers_at(move.node)
        named = any(LOGIN.search(handler.event) or LOGIN.search(handler.func.name) for handler in handlers)
        if (
            not named
            or any((_gateway(handler), facts.rooms.shape(room)) in at_connect for handler in handlers)
            or (not known and any(logs_in(facts, handler) for handler in handlers))
        ):
            continue
        if is_own_room(facts, room):
            seen.add(id(move))
            yield Hit(move.module.path, move.node, "a reconnect does not repeat the event that joins these rooms")


def _gateway(handler: Handler) -> int:
    """Return a number that identifies the class around a handler, or 0.

    A join at connect counts only for handlers of the same class, as each class has its own sockets.
    """
    cls = class_of(handler.func)
    return id(cls) if cls is not None else 0


NODE = Snippet(
    bad="""\
import { verifyToken } from "./auth.js";

export function register(io) {
  io.use(async (socket, next) => {
    socket.data.user = await verifyToken(socket.handshake.auth.token);
    next();
  });
  io.on("connection", (socket) => {
    socket.on("login", (reply) => {
      const { user } = socket.data;
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
    @sio.event
    async def connect(sid, environ, auth):
        await sio.save_session(sid, {"user": verify_token(auth["token"])})

    @sio.on("session:login")
    async def log_in(sid):
        user = (await sio.get_session(sid))["user"]
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
