"""RM031: a user's rooms joined in an event, not at connect."""

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
# events of a client that has logged in before: a new token may name other rooms
REFRESH = re.compile(r"refresh|renew|rotate|extend", re.I)

TOLD = "after a reconnect, the socket is in none of these rooms until the client sends this event again"


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each join of a user's own room in a login event.

    A user's own room has a name that is made from the user's id, or that was looked up for the user. A join is left out
    if a connect handler joins the room, too.
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
        if (
            not any(_is_login(handler) for handler in handlers)
            or any((_gateway(handler), facts.rooms.shape(room)) in at_connect for handler in handlers)
            or (not known and any(logs_in(facts, handler) for handler in handlers))
        ):
            continue
        if is_own_room(facts, room):
            seen.add(id(move))
            yield Hit(move.module.path, move.node, TOLD, part=room)


def _is_login(handler: Handler) -> bool:
    """Tell whether a handler is for a login, by its name.

    The checker looks at the name of the event and at the name of the function.
    """
    names = (handler.event, handler.func.name)
    return any(LOGIN.search(name) for name in names) and not any(REFRESH.search(name) for name in names)


def _gateway(handler: Handler) -> int:
    """Return a number that identifies the class of a handler, or 0.

    The number is 0 for a handler outside a class. RM031 compares the joins of a login handler only with the joins of
    connect handlers in the same class, because each class has its own sockets.
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
    title="a user's rooms joined in an event, not at connect",
    what=(
        "The rooms of the user are joined when the client sends an event, such as `login`, and not when the socket "
        "connects."
    ),
    why=(
        "The client library reconnects by itself: until the page sends the event again, the socket is open, but "
        "receives nothing. Most pages send it once, so only a reload of the page helps."
    ),
    exceptions=(
        "The rooms are joined at connect, too. Or the server refuses all other events until the login event was "
        "sent, so that each client must send it at every connect. Or the page sends it in its own `connect` handler, "
        "which runs after every reconnect. Or the event replaces the token of a user who "
        "is logged in, such as `auth:refresh`."
    ),
    fix={
        "node": (
            "Move the join to the connection handler: it runs again after every reconnect.\n"
            'socket.join(`user:${socket.data.user.id}`); // in io.on("connection", …)'
        ),
        "nest": (
            "Move the join to `handleConnection`: it runs again after every reconnect.\n"
            "client.join(`user:${client.data.user.id}`); // in handleConnection"
        ),
        "python-socketio": (
            "Move the join to the connect handler, after the user is verified: it runs again after every reconnect.\n"
            'user = verify_token(auth["token"])  # in connect(sid, environ, auth)\n'
            'await sio.enter_room(sid, f"user:{user.id}")'
        ),
        "flask": (
            "Move the join to the connect handler, after the user is verified: it runs again after every reconnect.\n"
            "if not current_user.is_authenticated: return False\n"
            'join_room(f"user:{current_user.id}")  # in the connect handler'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
