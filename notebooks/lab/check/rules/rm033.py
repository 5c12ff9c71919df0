"""RM033: an emit to a room that nobody joins."""

import re
from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.ir import Call, Member, Node
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.tags import CLAIMED, Tag


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each emit to a room whose name has a shape that no join has."""
    moves = [(move, room) for move in facts.actions.joins for room in move.rooms]
    joined = {facts.shape(room) for _, room in moves}
    if not moves:
        return
    unknown = None in joined or any(facts.shape(room) == "*" and facts.values.of(room) & CLAIMED for _, room in moves)
    for emit, room in facts.emits_to_rooms():
        shape = facts.shape(room)
        tags = facts.values.of(room)
        if shape is None or tags & (Tag.SID | Tag.IDS) or facts.is_stored_id(room) or facts.is_claimed(room):
            continue
        if any(_fits(shape, other) for other in joined if other):
            continue
        if shape == "*" and not _is_bare_id(facts, room):
            continue
        message = (
            f"no join in this code makes a room like `{shape}`"
            if shape != "*"
            else "users are not in a room that is named by the bare id"
        )
        yield Hit(emit.module.path, emit.node, message, "question" if unknown else None)


def _fits(shape: str, other: str) -> bool:
    """Tell whether an emit's shape and a join's shape may be the same room."""
    if shape == other:
        return True
    if "*" not in shape and "*" not in other:
        return False
    if other == "*" or shape == "*":
        return other == shape or (other == "*" and "*" not in shape)
    first, second = shape.split("*"), other.split("*")
    return (first[0].startswith(second[0]) or second[0].startswith(first[0])) and (
        first[-1].endswith(second[-1]) or second[-1].endswith(first[-1])
    )


def _is_bare_id(facts: Facts, room: Node) -> bool:
    found = facts.follow(room)
    while isinstance(found, Call) and isinstance(found.func, Member):
        found = found.func.obj
    name = getattr(found, "name", "")
    return (
        bool(
            re.search(
                r"(user|member|participant|driver|customer|recipient|receiver|owner|friend)\w*?(_?id)?$", name, re.I
            )
        )
        or name == "id"
    )


NODE = Snippet(
    bad="""\
import { acceptOrder } from "./orders.js";

export function register(io) {
  io.on("connection", (socket) => {
    socket.join(`user:${socket.data.user.id}`);

    socket.on("order:accept", async (orderId) => {
      const order = await acceptOrder(orderId, socket.data.user.id);
      io.to(`customer_${order.customerId}`).emit("order:accepted", { id: order.id }); // <- RM033
    });
  });
}
""",
    good="""\
import { acceptOrder } from "./orders.js";

const userRoom = (id) => `user:${id}`;

export function register(io) {
  io.on("connection", (socket) => {
    socket.join(userRoom(socket.data.user.id));

    socket.on("order:accept", async (orderId) => {
      const order = await acceptOrder(orderId, socket.data.user.id);
      io.to(userRoom(order.customerId)).emit("order:accepted", { id: order.id });
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
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
    this.server.to(order.customerId).emit("order:accepted", { id: order.id }); // <- RM033
  }
}
""",
    good="""\
import { AcceptOrder, OrdersService } from "./orders";
"""
    + GATEWAY
    + """\
  constructor(private readonly orders: OrdersService) {}

  private userRoom = (id: string) => `user:${id}`;

  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(this.userRoom(client.data.user.id));
  }

  @SubscribeMessage("order:accept")
  async accept(@ConnectedSocket() client: Socket, @MessageBody() wanted: AcceptOrder) {
    const order = await this.orders.accept(wanted.id, client.data.user.id);
    this.server.to(this.userRoom(order.customerId)).emit("order:accepted", { id: order.id });
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
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
        user = (await sio.get_session(sid))["user"]
        order = await accept_order(order_id, user.id)
        await sio.emit("order:accepted", {"id": order.id}, to=f"users:{order.customer_id}")  # <- RM033
""",
    good="""\
from .auth import verify_token
from .orders import accept_order


def user_room(user_id):
    return f"user:{user_id}"


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        await sio.enter_room(sid, user_room(user.id))

    @sio.on("order:accept")
    async def accept(sid, order_id):
        user = (await sio.get_session(sid))["user"]
        order = await accept_order(order_id, user.id)
        await sio.emit("order:accepted", {"id": order.id}, to=user_room(order.customer_id))
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user
from flask_socketio import join_room


def register(socketio):
    @socketio.on("connect")
    def connect():
        join_room(f"user:{current_user.id}")


def notify(socketio, order):
    socketio.emit("order:accepted", {"id": order.id}, to=f"user-{order.customer_id}")  # <- RM033
""",
    good="""\
from flask_login import current_user
from flask_socketio import join_room


def user_room(user_id):
    return f"user:{user_id}"


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        join_room(user_room(current_user.id))


def notify(socketio, order):
    socketio.emit("order:accepted", {"id": order.id}, to=user_room(order.customer_id))
""",
)

RULE = Rule(
    id="RM033",
    mistake="03",
    level="error",
    title="emit to a room that nobody joins",
    what="A message is emitted to a room whose name matches no join of the project.",
    why=(
        "An emit to an empty room raises no error, so the message never arrives. The cause is often two spellings "
        "of one name."
    ),
    exceptions=(
        "Another program may join sockets to the room. Where a client-named or unresolved join exists, the "
        "finding is a question."
    ),
    fix={
        "node": (
            "Build the name in one function, such as `userRoom(id)`, and use it both in `socket.join` and in `io.to`."
        ),
        "nest": (
            "Build the name in one function, such as `userRoom(id)`, and use it both in `client.join` and in "
            "`this.server.to`."
        ),
        "python-socketio": (
            "Build the name in one function, such as `user_room(user_id)`, and use it both in `sio.enter_room` "
            "and in `to=`."
        ),
        "flask": (
            "Build the name in one function, such as `user_room(user_id)`, and use it both in `join_room` and in `to=`."
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
