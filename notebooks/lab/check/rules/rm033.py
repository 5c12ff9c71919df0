"""RM033: an emit to a room that nobody joins."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.ir import Node
from lab.check.known_rooms import KnownRooms
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.tags import Tag


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each emit to a room that the code never joins.

    Rooms are compared by shape: the name with `*` in place of each variable part, such as `user:*`. Each shape is
    reported once per file. If clients can join any room that they name, each shape is reported only once for all files.
    Nothing is reported if the code has no join, or a join of a room whose name is unknown.
    """
    rooms = facts.rooms
    # a join that cannot be read may be the one that is missing
    if not rooms.joins or any(rooms.shape(room) is None for _, room in rooms.joins):
        return
    claimed = any(rooms.shape(room) == "*" and facts.is_named_by_client(room) for _, room in rooms.joins)
    known = KnownRooms(facts)
    seen: set[tuple[str, str]] = set()
    for emit, room in rooms.emits:
        shape = rooms.shape(room)
        # an error once in each file; a question once
        place = ("" if claimed else emit.module.path, shape or "")
        if shape is None or place in seen or _is_of_socket(facts, room) or known.has(shape, room):
            continue
        seen.add(place)
        told = f"no join in this code makes a room like `{shape}`"
        if shape == "*":
            told = "no user is in a room of the bare id"
        yield Hit(emit.module.path, emit.node, told, "question" if claimed else None)


def _is_of_socket(facts: Facts, room: Node) -> bool:
    """Tell whether the name of a room is a socket's id.

    Socket.IO itself puts each socket into such a room.
    """
    return bool(facts.values.of(room) & (Tag.SID | Tag.IDS)) or facts.is_stored_id(room)


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
            "Build the name in one function, and use it for the join and for the emit.\n"
            "const userRoom = (id) => `user:${id}`;\n"
            "socket.join(userRoom(socket.data.user.id)); // at each connection\n"
            'io.to(userRoom(userId)).emit("event", data);'
        ),
        "nest": (
            "Build the name in one function, and use it for the join and for the emit.\n"
            "const userRoom = (id: string) => `user:${id}`;\n"
            "client.join(userRoom(client.data.user.id)); // in handleConnection\n"
            'this.server.to(userRoom(userId)).emit("event", data);'
        ),
        "python-socketio": (
            "Build the name in one function, such as `user_room`, and use it for the join and for the emit.\n"
            "await sio.enter_room(sid, user_room(user_id))  # in the connect handler\n"
            'await sio.emit("event", data, to=user_room(user_id))'
        ),
        "flask": (
            "Build the name in one function, such as `user_room`, and use it for the join and for the emit.\n"
            "join_room(user_room(current_user.id))  # in the connect handler\n"
            'socketio.emit("event", data, to=user_room(user_id))'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
