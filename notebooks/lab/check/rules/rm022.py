"""RM022: a socket looked up by a stored id."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.ir import Await, Call, Const, Index, Member, Name, Node
from lab.check.kept_ids import is_fresh
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.tags import Tag

ENDS = {"disconnect", "disconnectSockets"}


def find(facts: Facts) -> Iterable[Hit]:
    """Yield look-ups of sockets by id, and emits to stored sockets.

    A look-up is, for example, `io.sockets.sockets.get(id)`. A stored socket comes from a collection of the code, as
    in `players.get(name).emit(…)`.
    """
    reported: set[tuple[str, int]] = set()
    for module, node in facts.nodes(Call, Index):
        if _looks_up(facts, node) and not _ends(facts, node) and (module.path, node.line) not in reported:
            reported.add((module.path, node.line))
            yield Hit(module.path, node, "after a reconnect, this look-up by a socket id finds nothing")
    for emit in facts.actions.emits:
        new = (emit.module.path, emit.node.line) not in reported
        if emit.aim == "lookup" and emit.found is not None and new and _is_kept(facts, emit.found):
            reported.add((emit.module.path, emit.node.line))
            yield Hit(emit.module.path, emit.node, "after a reconnect of its client, this kept socket is closed")


def _looks_up(facts: Facts, node: Node) -> bool:
    match node:
        case Call(func=Member(obj=obj, name="get"), args=[key]):
            found = Tag.SOCKETS in facts.values.of(obj) and not facts.is_own_id(key)
        # `sockets[0]` is the first one
        case Index(obj=obj, key=key) if not isinstance(key, Const):
            found = Tag.SOCKETS in facts.values.of(obj) and not facts.is_own_id(key)
        case _:
            return False
    return found and not is_fresh(facts, key)


def _ends(facts: Facts, node: Node) -> bool:
    """Tell whether the code disconnects the socket that `node` looks up.

    `node` is, for example, `io.sockets.sockets.get(id)`. The code can assign the socket to a variable first. RM022 does
    not report such a look-up, because administrators end connections in this way.
    """
    above = node.parent
    if isinstance(above, Member):
        return above.name in ENDS
    func = facts.handler_function(node)
    ended = (
        (part for part in func.parts() if isinstance(part, Member) and part.name in ENDS) if func is not None else ()
    )
    return any(facts.follow(part.obj) is node for part in ended if isinstance(part.obj, Name))


def _is_kept(facts: Facts, found: Node) -> bool:
    """Tell whether the checked code reads `found` from its own collection.

    `found` is a socket. The collection is, for example, a global `Map`, and not one of Socket.IO's.
    """
    made = facts.follow(found)
    made = made.value if isinstance(made, Await) else made
    return Tag.KEPT in facts.values.of(found) and isinstance(made, Call | Index)


NODE = Snippet(
    bad="""\
import { assignDriver } from "./jobs.js";

const socketIds = new Map();

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socketIds.set(user.id, socket.id); // <- RM011

    socket.on("job:assign", async (jobId) => {
      const job = await assignDriver(jobId, user.id);
      const driver = io.sockets.sockets.get(socketIds.get(job.driverId)); // <- RM022
      driver?.join(`job:${job.id}`);
    });
  });
}
""",
    good="""\
import { assignDriver } from "./jobs.js";

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);

    socket.on("job:assign", async (jobId) => {
      const job = await assignDriver(jobId, user.id);
      io.in(`user:${job.driverId}`).socketsJoin(`job:${job.id}`);
    });
  });
}

export function registerAdmin(io) {
  io.of("/admin").on("connection", (socket) => {
    socket.on("connection:kick", (socketId) => {
      if (socket.data.user.role !== "admin") return;
      io.sockets.sockets.get(socketId)?.disconnect(true);
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { AssignJob, JobsService, UsersService } from "./jobs";
"""
    + GATEWAY
    + """\
  constructor(private readonly jobs: JobsService, private readonly users: UsersService) {}

  @SubscribeMessage("job:assign")
  async assign(@ConnectedSocket() client: Socket, @MessageBody() wanted: AssignJob) {
    const job = await this.jobs.assign(wanted.id, client.data.user.id);
    const driver = await this.users.findById(job.driverId);
    this.server.sockets.sockets.get(driver.socketId)?.join(`job:${job.id}`); // <- RM022
  }
}
""",
    good="""\
import { AssignJob, JobsService } from "./jobs";
"""
    + GATEWAY
    + """\
  constructor(private readonly jobs: JobsService) {}

  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`);
  }

  @SubscribeMessage("job:assign")
  async assign(@ConnectedSocket() client: Socket, @MessageBody() wanted: AssignJob) {
    const job = await this.jobs.assign(wanted.id, client.data.user.id);
    this.server.in(`user:${job.driverId}`).socketsJoin(`job:${job.id}`);
  }
}
""",
)

RULE = Rule(
    id="RM022",
    mistake="02",
    level="warning",
    title="socket looked up by a stored id",
    what="A socket object is looked up by a socket id that was kept somewhere, as in `io.sockets.sockets.get(id)`.",
    why=(
        "The look-up finds nothing after a reconnect, and nothing when the socket is connected to another "
        "process. Code that then uses optional chaining does nothing and reports no error."
    ),
    exceptions="An administrator who disconnects one connection that a list shows needs exactly that socket.",
    fix={
        "node": (
            "Act on the user's room in place of one socket, and let each connection join it. Name the room for "
            "an id that a reconnect does not change: the account's, or a random one that the client keeps.\n"
            'io.in(`user:${userId}`).emit("event", data); // or .socketsJoin(room)\n'
            'socket.join(`user:${socket.data.user.id}`); // in io.on("connection", …)'
        ),
        "nest": (
            "Act on the user's room in place of one socket, and let each connection join it. Name the room for "
            "an id that a reconnect does not change: the account's, or a random one that the client keeps.\n"
            'this.server.in(`user:${userId}`).emit("event", data); // or .socketsJoin(room)\n'
            "client.join(`user:${client.data.user.id}`); // in handleConnection"
        ),
    },
    snippets={"node": NODE, "nest": NEST},
    find=find,
)
