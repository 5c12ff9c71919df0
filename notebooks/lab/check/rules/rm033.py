"""RM033: an emit to a room that nobody joins."""

import re
from collections.abc import Iterable, Iterator

from lab.check.facts import Facts
from lab.check.ir import Call, Member, Node
from lab.check.model import Hit, Rule, Snippet
from lab.check.names import names_in
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.tags import Tag

USER = re.compile(
    r"^(user|member|participant|driver|customer|recipient|receiver|owner|friend|sender)\w*?(_?id)?$", re.I
)


def find(facts: Facts) -> Iterable[Hit]:
    """Yield the first emit of each file to an unknown room.

    No join has a room of the same shape.
    """
    shapes = {facts.rooms.shape(room) for _, room in facts.rooms.joins}
    if not facts.rooms.joins or None in shapes:
        return  # a join that cannot be read may be the one that is missing
    claimed = any(facts.rooms.shape(room) == "*" and facts.is_named_by_client(room) for _, room in facts.rooms.joins)
    joined = [(shape, _is_user(facts, room)) for _, room in facts.rooms.joins if (shape := facts.rooms.shape(room))]
    mentioned = set(_mentioned(facts))
    seen: set[tuple[str, str]] = set()
    for emit, room in facts.rooms.emits:
        shape = facts.rooms.shape(room)
        # an error once in each file; a question once
        place = ("" if claimed else emit.module.path, shape or "")
        if shape is None or place in seen or facts.values.of(room) & (Tag.SID | Tag.IDS) or facts.is_stored_id(room):
            continue
        user = _is_user(facts, room)
        if shape == "*" and (not user or not any(other.startswith("user") for other, _ in joined)):
            continue
        if any(_fits(shape, other) and (shape != "*" or user == of_user) for other, of_user in joined):
            continue
        if any(text.startswith(shape.split("*")[0]) for text in mentioned if shape != "*"):
            continue
        seen.add(place)
        told = (
            f"no join in this code makes a room like `{shape}`"
            if shape != "*"
            else "no user is in a room of the bare id"
        )
        yield Hit(emit.module.path, emit.node, told, "question" if claimed else None)


def _mentioned(facts: Facts) -> Iterator[str]:
    """Yield the beginnings of texts that go to any kind of join.

    The function only has to be named like one, on whatever object.
    """
    for _, node in facts.nodes(Call):
        if isinstance(node, Call) and re.search(r"join|enter|subscribe", getattr(node.func, "name", ""), re.I):
            for arg in node.args:
                for part in facts.rooms.parts(arg):
                    shape = facts.rooms.shape(part)
                    if shape and not shape.startswith("*"):
                        yield shape.split("*")[0]


def _fits(shape: str, other: str) -> bool:
    """Tell whether two shapes may be the same room.

    The first is that of an emit, the second that of a join.
    """
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


def _is_user(facts: Facts, room: Node) -> bool:
    """Tell whether a room is named by a bare user id."""
    found = facts.follow(room)
    while isinstance(found, Call) and isinstance(found.func, Member):
        found = found.func.obj
    names = list(names_in(found))
    return any(USER.search(name) for name in names)


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
