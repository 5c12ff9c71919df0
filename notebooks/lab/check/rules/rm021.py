"""RM021: an emit to a socket id from a store."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.ir import Node
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.tags import Tag


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each emit to a socket id that was kept.

    The id comes from a store, a field or a loop.
    """
    for emit, room in facts.rooms.emits:
        if facts.is_stored_id(room) and _is_passed(facts, room):
            yield Hit(emit.module.path, emit.node, "after a reconnect of its client, this kept id reaches nobody")


def _is_passed(facts: Facts, room: Node) -> bool:
    """Tell whether an emit to a socket id is a mistake.

    If the id is a parameter of a helper, it is a mistake only if some call passes an id that was stored. A helper that
    can emit to any socket is no mistake by itself.
    """
    param = facts.parameter(room)
    if param is None or Tag.IDS in facts.values.of(room):
        return True
    return any(facts.is_stored_id(arg) for arg in facts.arguments(param))


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
        "After a reconnect the id no longer exists. The emit then reaches nobody and raises no error, so the user "
        "misses the message and nobody sees why."
    ),
    exceptions=(
        "A socket's own id inside its handler is fine: it is connected at that moment. `call`, which waits for an "
        "ack, needs one socket."
    ),
    fix={
        "node": (
            "Emit to the user's room: io.to(`user:${id}`).emit(…), and join that room at each connection; use "
            "an id that a reconnect does not change, such as the user's."
        ),
        "nest": (
            "Emit to the user's room: this.server.to(`user:${id}`).emit(…), and join that room in "
            "`handleConnection`; use an id that a reconnect does not change, such as the user's."
        ),
        "python-socketio": (
            'Emit to the user\'s room: `await sio.emit(event, data, to=f"user:{user_id}")`, and enter that '
            "room in the connect handler; use an id that a reconnect does not change, such as the user's."
        ),
        "flask": (
            'Emit to the user\'s room: `emit(event, data, to=f"user:{user_id}")`, and join that room in the '
            "connect handler; use an id that a reconnect does not change, such as the user's."
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
