"""RM012: state stored under a socket's own id."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.ir import Func, Index, Member, Name, Node
from lab.check.model import Hit, Rule, Snippet
from lab.check.purposes import is_of_connection
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.scopes import function_of
from lab.check.stores import writes

# lines between two places that are reported once
NEXT = 3


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each statement that stores something under the handler's socket id.

    An example is `carts[socket.id] = []`, if `carts` outlives the handler. In Redis, a key that contains the id counts,
    too. Collections of things that each serve one connection, such as timers, are left out.
    """
    last: tuple[Func | None, int] = (None, 0)
    for write in writes(facts):
        if write.key is None or isinstance(write.place, Index) or is_of_connection(facts, write.place):
            continue
        if write.kind == "shared":
            kept = _mentions_id(facts, write.key)
        else:
            kept = write.kind == "collection" and facts.is_own_id(write.key)
            kept = kept and facts.outlives(write.place, facts.handler_function(write.node))
        here = (function_of(write.node), write.node.line)
        # lines that follow each other keep one thing
        if kept and not (here[0] is last[0] and here[1] - last[1] <= NEXT):
            yield Hit(write.module.path, write.node, "a reconnect gets a new id, and does not find this state")
        last = here if kept else last


def _mentions_id(facts: Facts, key: Node) -> bool:
    """Tell whether the expression `key` contains the id of the handler's socket."""
    found = facts.follow(key)
    return any(facts.is_own_id(part) for part in found.walk() if isinstance(part, Name | Member))


NODE = Snippet(
    bad="""\
const carts = new Map();

export function register(io) {
  io.on("connection", (socket) => {
    carts.set(socket.id, []); // <- RM012

    socket.on("cart:add", (item, reply) => {
      carts.get(socket.id).push(item);
      reply({ ok: true });
    });
  });
}
""",
    good="""\
import { spawnTerminal } from "./terminal.js";

export function register(io) {
  io.on("connection", (socket) => {
    socket.data.cart = [];

    socket.on("cart:add", (item, reply) => {
      socket.data.cart.push(item);
      reply({ ok: true });
    });
  });
}

// a terminal belongs to one connection and ends with it
export function registerTerminal(io) {
  const terminals = new Map();
  io.of("/terminal").on("connection", (socket) => {
    terminals.set(socket.id, spawnTerminal(socket.data.user));
    socket.on("disconnect", () => {
      terminals.get(socket.id).kill();
      terminals.delete(socket.id);
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { CartItem } from "./cart-item";
"""
    + GATEWAY
    + """\
  private carts: Record<string, string[]> = {};

  handleConnection(@ConnectedSocket() client: Socket) {
    this.carts[client.id] = []; // <- RM012
  }

  @SubscribeMessage("cart:add")
  addToCart(@ConnectedSocket() client: Socket, @MessageBody() item: CartItem) {
    this.carts[client.id].push(item.product);
  }
}
""",
    good="""\
import { CartItem } from "./cart-item";
"""
    + GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.data.cart = [];
  }

  @SubscribeMessage("cart:add")
  addToCart(@ConnectedSocket() client: Socket, @MessageBody() item: CartItem) {
    client.data.cart.push(item.product);
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
from .auth import verify_token

users = {}


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        users[sid] = verify_token(auth["token"])  # <- RM012

    @sio.on("profile:get")
    async def profile(sid):
        return {"name": users[sid].name}
""",
    good="""\
from .auth import verify_token


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        await sio.save_session(sid, {"user": verify_token(auth["token"])})

    @sio.on("profile:get")
    async def profile(sid):
        session = await sio.get_session(sid)
        return {"name": session["user"].name}
""",
)

FLASK = Snippet(
    bad="""\
from flask import request
from flask_login import current_user

carts = {}


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        carts[request.sid] = []  # <- RM012

    @socketio.on("cart:size")
    def cart_size():
        return {"size": len(carts[request.sid])}
""",
    good="""\
from flask import session
from flask_login import current_user


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        session["cart"] = []

    @socketio.on("cart:size")
    def cart_size():
        return {"size": len(session["cart"])}
""",
)

RULE = Rule(
    id="RM012",
    mistake="01",
    level="warning",
    title="state keyed by a socket id",
    what="A map or object that lives longer than the handler is keyed by the socket's own id.",
    why=(
        "A client gets a new id at each reconnect, so it does not find its entry again. Each lost disconnect "
        "event leaves an entry that nobody reads or removes."
    ),
    exceptions=(
        "A rate limiter may count by connection, and a resource that belongs to one connection, such as a "
        "terminal or a stream, may be kept under its id. A `sid` that is no Socket.IO id, such as an HTTP session "
        "id, is not meant."
    ),
    fix={
        "node": (
            "Keep what belongs to the connection in `socket.data`, and what belongs to the user under the user's "
            "id.\n"
            "socket.data.cart = []; // ends with the connection\n"
            "carts.set(socket.data.user.id, []); // is still there after a reconnect"
        ),
        "nest": (
            "Keep what belongs to the connection in `client.data`, and what belongs to the user under the user's "
            "id.\n"
            "client.data.cart = []; // ends with the connection\n"
            "this.carts.set(client.data.user.id, []); // is still there after a reconnect"
        ),
        "python-socketio": (
            "Keep what belongs to the connection in its session, and what belongs to the user under the user's "
            "id.\n"
            'await sio.save_session(sid, {"cart": []})  # ends with the connection\n'
            "carts[user_id] = []  # is still there after a reconnect"
        ),
        "flask": (
            "Keep what belongs to the connection in Flask's `session`, and what belongs to the user under the "
            "user's id.\n"
            'session["cart"] = []  # ends with the connection\n'
            "carts[current_user.id] = []  # is still there after a reconnect"
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
