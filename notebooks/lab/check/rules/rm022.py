"""RM022: a socket looked up by a stored id."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each look-up of a socket by an id that was stored."""
    return ()


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
        "node": "Act on the user's room: io.in(`user:${id}`).socketsJoin(room), `.socketsLeave(room)` or `.emit(…)`.",
        "nest": (
            "Act on the user's room: this.server.in(`user:${id}`).socketsJoin(room), `.socketsLeave(room)` or "
            "`.emit(…)`."
        ),
    },
    snippets={"node": NODE, "nest": NEST},
    find=find,
)
