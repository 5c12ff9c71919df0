"""RM023: an emit that excludes its only receiver."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each emit to the sender's own id that excludes the sender.

    An example is `socket.to(socket.id).emit(…)`.
    """
    for emit, room in facts.rooms.emits:
        if emit.from_socket and facts.is_own_id(room) and len(emit.rooms) == 1:
            yield Hit(emit.module.path, emit.node, "the socket's own room, without the socket itself, has nobody in it")


NODE = Snippet(
    bad="""\
import { saveOrder } from "./orders.js";

export function register(io) {
  io.on("connection", (socket) => {
    socket.on("order:save", async (order) => {
      const saved = await saveOrder(order, socket.data.user.id);
      socket.to(socket.id).emit("order:saved", { id: saved.id }); // <- RM023
    });
  });
}
""",
    good="""\
import { saveOrder } from "./orders.js";

export function register(io) {
  io.on("connection", (socket) => {
    socket.on("order:save", async (order, reply) => {
      const saved = await saveOrder(order, socket.data.user.id);
      reply({ id: saved.id });
    });

    socket.on("order:draft", async (order) => {
      const saved = await saveOrder(order, socket.data.user.id);
      socket.emit("order:saved", { id: saved.id });
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { OrdersService, SaveOrder } from "./orders";
"""
    + GATEWAY
    + """\
  constructor(private readonly orders: OrdersService) {}

  @SubscribeMessage("order:save")
  async save(@ConnectedSocket() client: Socket, @MessageBody() order: SaveOrder) {
    const saved = await this.orders.save(order, client.data.user.id);
    client.to(client.id).emit("order:saved", { id: saved.id }); // <- RM023
  }
}
""",
    good="""\
import { OrdersService, SaveOrder } from "./orders";
"""
    + GATEWAY
    + """\
  constructor(private readonly orders: OrdersService) {}

  @SubscribeMessage("order:save")
  async save(@ConnectedSocket() client: Socket, @MessageBody() order: SaveOrder) {
    const saved = await this.orders.save(order, client.data.user.id);
    return { id: saved.id };
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
from .orders import save_order


def register(sio):
    @sio.on("order:save")
    async def save(sid, order):
        session = await sio.get_session(sid)
        saved = await save_order(order, session["user"].id)
        await sio.emit("order:saved", {"id": saved.id}, to=sid, skip_sid=sid)  # <- RM023
""",
    good="""\
from .orders import save_order


def register(sio):
    @sio.on("order:save")
    async def save(sid, order):
        session = await sio.get_session(sid)
        saved = await save_order(order, session["user"].id)
        return {"id": saved.id}
""",
)

FLASK = Snippet(
    bad="""\
from flask import request
from flask_login import current_user
from flask_socketio import emit

from .orders import save_order


def register(socketio):
    @socketio.on("order:save")
    def save(order):
        saved = save_order(order, current_user.id)
        emit("order:saved", {"id": saved.id}, to=request.sid, include_self=False)  # <- RM023
""",
    good="""\
from flask_login import current_user
from flask_socketio import emit

from .orders import save_order


def register(socketio):
    @socketio.on("order:save")
    def save(order):
        saved = save_order(order, current_user.id)
        emit("order:saved", {"id": saved.id})
""",
)

RULE = Rule(
    id="RM023",
    mistake="02",
    level="error",
    title="emit to oneself that excludes the sender",
    what=(
        "A message is emitted to the sender's own id by a call that leaves the sender out, as in "
        "`socket.to(socket.id).emit(…)`."
    ),
    why="The only receiver is excluded, so nobody receives the message, and there is no error.",
    exceptions="There is none known: such an emit never reaches anyone.",
    fix={
        "node": (
            "Emit to the socket itself, or answer with the ack of the event.\n"
            'socket.emit("event", data); // or the ack: reply(data)'
        ),
        "nest": (
            "Emit to the socket itself, or return the answer from the handler.\n"
            'client.emit("event", data); // or: return data;'
        ),
        "python-socketio": (
            "Return the answer from the handler as its ack, or emit without `skip_sid`.\n"
            'await sio.emit("event", data, to=sid)  # or: return data'
        ),
        "flask": (
            "Return the answer from the handler as its ack, or emit without `include_self=False`.\n"
            'emit("event", data)  # or: return data'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
