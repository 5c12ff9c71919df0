"""RM015: socket objects kept in a collection."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.ir import Record
from lab.check.model import Hit, Rule, Snippet
from lab.check.purposes import is_only_closed
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.stores import writes
from lab.check.tags import Tag


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each statement that stores a socket object in a collection.

    The collection, such as a global `Map`, outlives the handler. If the checked code only closes the sockets in the
    collection, nothing is reported.
    """
    for write in writes(facts):
        if write.kind not in ("collection", "field"):
            continue
        values = [value for _, value in write.value.items] if isinstance(write.value, Record) else [write.value]
        tags = [facts.values.of(value) for value in values]
        if not any(Tag.SOCKET in tag and Tag.STORED not in tag for tag in tags):
            continue
        if write.kind == "field" and not facts.keeps(write.place):
            continue
        if facts.outlives(write.place, facts.handler_function(write.node)) and not is_only_closed(facts, write.place):
            yield Hit(write.module.path, write.node, "a socket object is kept for longer than its handler runs")


NODE = Snippet(
    bad="""\
const connections = new Map();

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    connections.set(user.id, socket); // <- RM015

    socket.on("users:count", (reply) => reply({ users: connections.size }));
  });
}
""",
    good="""\
export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);

    socket.on("devices:count", async (reply) => {
      const devices = await io.in(`user:${user.id}`).fetchSockets();
      reply({ devices: devices.length });
    });
  });
}

// a registry for shutdown only
export function registerShutdown(io) {
  const open = new Set();
  io.on("connection", (socket) => {
    open.add(socket);
    socket.on("disconnect", () => open.delete(socket));
  });
  process.once("SIGTERM", () => {
    for (const socket of open) socket.disconnect(true);
  });
}
""",
)

NEST = Snippet(
    bad=GATEWAY
    + """\
  private clients: Socket[] = [];

  handleConnection(@ConnectedSocket() client: Socket) {
    this.clients.push(client); // <- RM015
  }

  @SubscribeMessage("users:count")
  countUsers() {
    return { users: this.clients.length };
  }
}
""",
    good=GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`company:${client.data.user.company}`);
  }

  @SubscribeMessage("users:count")
  async countUsers(@ConnectedSocket() client: Socket) {
    const sockets = await this.server.in(`company:${client.data.user.company}`).fetchSockets();
    return { users: new Set(sockets.map((other) => other.data.user.id)).size };
  }
}
""",
)

RULE = Rule(
    id="RM015",
    mistake="01",
    level="warning",
    title="socket object kept in a collection",
    what="The socket object itself is put into a map, list or set that lives longer than the handler.",
    why=(
        "The collection repeats what Socket.IO already keeps, and must be cleaned by hand. A forgotten entry "
        "keeps the whole connection with its buffers in memory, and emits through it are lost without an error."
    ),
    exceptions="A registry that only closes the connections at shutdown is fine.",
    fix={
        "node": (
            "Keep no sockets: let each connection join a room of its user, and emit to that room.\n"
            'socket.join(`user:${socket.data.user.id}`); // in io.on("connection", …)\n'
            'io.to(`user:${userId}`).emit("event", data); // in place of an emit to the kept socket'
        ),
        "nest": (
            "Keep no sockets: let each connection join a room of its user, and emit to that room.\n"
            "client.join(`user:${client.data.user.id}`); // in handleConnection\n"
            'this.server.to(`user:${userId}`).emit("event", data); // in place of an emit to the kept socket'
        ),
    },
    snippets={"node": NODE, "nest": NEST},
    find=find,
)
