"""RM021: an emit to a stored socket id."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.kept_ids import (
    is_compared,
    is_ended,
    is_fetched,
    is_fresh,
    is_of_call,
    is_of_fetched,
    is_passed,
    is_written_id,
)
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.tags import Tag


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each emit to a socket id that was stored before.

    The id comes from a collection, a field of a record or a loop over ids.
    """
    for emit, room in facts.rooms.emits:
        if not (facts.is_stored_id(room) or is_written_id(facts, room)) or not is_passed(facts, room):
            continue
        if is_compared(facts, emit, room) or is_of_call(facts, emit, room) or is_ended(facts, emit, room):
            continue
        if Tag.IDS not in facts.values.of(room) and is_of_fetched(facts, room):
            continue
        if is_fetched(facts, room) or is_fresh(facts, room):
            told = "this loop emits to each socket: one emit to a room does the same"
            yield Hit(emit.module.path, emit.node, told, "warning", part=room)
        else:
            yield Hit(
                emit.module.path,
                emit.node,
                "this id was stored earlier: after a reconnect it reaches nobody",
                part=room,
            )


NODE = Snippet(
    bad="""\
import { acceptOrder } from "./orders.js";

const socketIds = new Map();

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socketIds.set(user.id, socket.id); // <- RM011

    socket.on("order:accept", async (orderId) => {
      const order = await acceptOrder(orderId, user.id);
      const target = socketIds.get(order.customerId);
      io.to(target).emit("order:accepted", { id: order.id }); // <- RM021
    });
  });
}
""",
    good="""\
import { acceptOrder } from "./orders.js";

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);

    socket.on("order:accept", async (orderId) => {
      const order = await acceptOrder(orderId, user.id);
      io.to(`user:${order.customerId}`).emit("order:accepted", { id: order.id });
    });

    // its own id, inside its own handler
    socket.on("time:get", () => io.to(socket.id).emit("time", Date.now()));
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { AcceptOrder, OrdersService, UsersService } from "./orders";
"""
    + GATEWAY
    + """\
  constructor(private readonly orders: OrdersService, private readonly users: UsersService) {}

  @SubscribeMessage("order:accept")
  async accept(@ConnectedSocket() client: Socket, @MessageBody() wanted: AcceptOrder) {
    const order = await this.orders.accept(wanted.id, client.data.user.id);
    const customer = await this.users.findById(order.customerId);
    this.server.to(customer.socketId).emit("order:accepted", { id: order.id }); // <- RM021
  }
}
""",
    good="""\
import { AcceptOrder, OrdersService } from "./orders";
"""
    + GATEWAY
    + """\
  constructor(private readonly orders: OrdersService) {}

  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`);
  }

  @SubscribeMessage("order:accept")
  async accept(@ConnectedSocket() client: Socket, @MessageBody() wanted: AcceptOrder) {
    const order = await this.orders.accept(wanted.id, client.data.user.id);
    this.server.to(`user:${order.customerId}`).emit("order:accepted", { id: order.id });
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
from .auth import verify_token
from .orders import accept_order

socket_ids = {}


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        socket_ids.setdefault(user.id, []).append(sid)  # <- RM011

    @sio.on("order:accept")
    async def accept(sid, order_id):
        session = await sio.get_session(sid)
        order = await accept_order(order_id, session["user"].id)
        for target in socket_ids[order.customer_id]:
            await sio.emit("order:accepted", {"id": order.id}, to=target)  # <- RM021
""",
    good="""\
from .auth import verify_token
from .orders import accept_order


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        await sio.enter_room(sid, f"user:{user.id}")

    @sio.on("order:accept")
    async def accept(sid, order_id):
        session = await sio.get_session(sid)
        order = await accept_order(order_id, session["user"].id)
        await sio.emit("order:accepted", {"id": order.id}, to=f"user:{order.customer_id}")
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user
from flask_socketio import emit

from .models import User
from .orders import accept_order


def register(socketio):
    @socketio.on("order:accept")
    def accept(order_id):
        order = accept_order(order_id, current_user.id)
        customer = User.query.get(order.customer_id)
        emit("order:accepted", {"id": order.id}, to=customer.socket_id)  # <- RM021
""",
    good="""\
from flask_login import current_user
from flask_socketio import emit, join_room

from .orders import accept_order


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        join_room(f"user:{current_user.id}")

    @socketio.on("order:accept")
    def accept(order_id):
        order = accept_order(order_id, current_user.id)
        emit("order:accepted", {"id": order.id}, to=f"user:{order.customer_id}")
""",
)

RULE = Rule(
    id="RM021",
    mistake="02",
    level="error",
    title="emit to a stored socket id",
    what="A message is emitted to a socket id that comes from a map, a database field or a loop over ids.",
    why=(
        "A client gets a new id at each reconnect, so an emit to the old one reaches nobody and raises no error. "
        "The user misses the message, and nobody sees why."
    ),
    exceptions=(
        "A socket's own id inside its handler is fine: it is connected at that moment. `call`, which waits for an "
        "ack, needs one socket."
    ),
    fix={
        "node": (
            "Emit to the user's room instead, and let each connection join it. Name the room for an id "
            "that a reconnect does not change: the account's, or a random one that the client keeps.\n"
            'io.to(`user:${userId}`).emit("event", data);\n'
            'socket.join(`user:${socket.data.user.id}`); // in io.on("connection", …)'
        ),
        "nest": (
            "Emit to the user's room instead, and let each connection join it. Name the room for an id "
            "that a reconnect does not change: the account's, or a random one that the client keeps.\n"
            'this.server.to(`user:${userId}`).emit("event", data);\n'
            "client.join(`user:${client.data.user.id}`); // in handleConnection"
        ),
        "python-socketio": (
            "Emit to the user's room instead, and let each connection join it. Name the room for an id "
            "that a reconnect does not change: the account's, or a random one that the client keeps.\n"
            'await sio.emit("event", data, to=f"user:{user_id}")\n'
            'await sio.enter_room(sid, f"user:{user_id}")  # in the connect handler'
        ),
        "flask": (
            "Emit to the user's room instead, and let each connection join it. Name the room for an id "
            "that a reconnect does not change: the account's, or a random one that the client keeps.\n"
            'socketio.emit("event", data, to=f"user:{user_id}")\n'
            'join_room(f"user:{current_user.id}")  # in the connect handler'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
