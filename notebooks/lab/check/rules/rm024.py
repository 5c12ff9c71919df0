"""RM024: a socket's own id used later, in a timer or job."""

import re
from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.ir import Call, Func, Member, Name, Node
from lab.check.model import Hit, Rule, Snippet
from lab.check.places import is_collection
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.running import runs_later
from lab.check.scopes import enclosing
from lab.check.stores import parts_with_id
from lab.check.tags import Tag

# functions that run another one later
LATER = re.compile(
    # timers
    r"^(setTimeout|setInterval|setImmediate|Timer|call_later|call_soon|run_after"
    # tasks and threads
    r"|create_task|ensure_future|start_background_task|add_task|spawn|spawn_later|Thread|submit"
    # jobs
    r"|add_job|addJob|schedule\w*|enqueue|delay|apply_async)$"
)
# methods that put a job into a queue; those of `JOB_ONLY` say so without the queue's name
JOBS = re.compile(r"^(add|enqueue|delay|apply_async|send_task|publish|lpush|rpush|add_job|addJob|dispatch)$")
JOB_ONLY = {"delay", "apply_async", "send_task", "add_job", "addJob"}
QUEUES = re.compile(r"(queue|job|task|worker|celery|bull|agenda)", re.I)


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each later emit to the handler's socket id.

    Such an emit runs after the handler, as in `setTimeout`. A call that passes the id to a job is yielded, too.
    """
    yield from _emits_later(facts)
    for module, call in facts.calls:
        if _is_job(facts, call):
            yield Hit(module.path, call, "this job carries the id of a socket, which may be gone when the job ends")


def _emits_later(facts: Facts) -> Iterable[Hit]:
    for emit, room in facts.rooms.emits:
        if Tag.SID in facts.values.of(room) and (_in_timer(emit.node) or runs_later(facts, emit.node)):
            told = "this emit runs later, when the socket with this id may be gone"
            yield Hit(emit.module.path, emit.node, told, part=room)


def _in_timer(node: Node) -> bool:
    calls = (func.parent for func in enclosing(node, Func))
    return any(isinstance(call, Call) and LATER.match(getattr(call.func, "name", "")) for call in calls)


def _is_job(facts: Facts, call: Call) -> bool:
    """Tell whether a call passes the handler's socket id to a job.

    An example is `queue.add(socket.id)`. A call `socket.address(socket.id)` counts, too: later emits go to its result.
    """
    if isinstance(call.func, Member) and call.func.name == "address":
        return Tag.SOCKET in facts.values.of(call.func.obj) and any(facts.is_own_id(arg) for arg in call.args)
    if not isinstance(call.func, Member) or not JOBS.match(call.func.name):
        return False
    owner = call.func.obj
    name = owner.name if isinstance(owner, (Name, Member)) else ""
    if not (QUEUES.search(name) or call.func.name in JOB_ONLY) or is_collection(facts.project, owner):
        return False
    given = [*call.args, *(value for _, value in call.keywords)]
    return any(True for value in given for _ in parts_with_id(facts, value))


NODE = Snippet(
    bad="""\
import { makeReport } from "./reports.js";

export function register(io) {
  io.on("connection", (socket) => {
    socket.on("report:request", (reply) => {
      setTimeout(async () => {
        const report = await makeReport(socket.data.user.id);
        io.to(socket.id).emit("report:ready", report); // <- RM024
      }, 1000);
      reply({ accepted: true });
    });
  });
}
""",
    good="""\
import { makeReport } from "./reports.js";

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);

    socket.on("report:request", (reply) => {
      setTimeout(async () => {
        const report = await makeReport(user.id);
        io.to(`user:${user.id}`).emit("report:ready", report);
      }, 1000);
      reply({ accepted: true });
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { InjectQueue } from "@nestjs/bullmq";
import { Queue } from "bullmq";
import { ReportRequest } from "./report-request";
"""
    + GATEWAY
    + """\
  constructor(@InjectQueue("reports") private readonly queue: Queue) {}

  @SubscribeMessage("report:request")
  async request(@ConnectedSocket() client: Socket, @MessageBody() wanted: ReportRequest) {
    const job = await this.queue.add("report", { size: wanted.size, socketId: client.id }); // <- RM024
    return { job: job.id };
  }
}
""",
    good="""\
import { InjectQueue } from "@nestjs/bullmq";
import { Queue } from "bullmq";
import { ReportRequest } from "./report-request";
"""
    + GATEWAY
    + """\
  constructor(@InjectQueue("reports") private readonly queue: Queue) {}

  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`);
  }

  @SubscribeMessage("report:request")
  async request(@ConnectedSocket() client: Socket, @MessageBody() wanted: ReportRequest) {
    const job = await this.queue.add("report", { size: wanted.size, userId: client.data.user.id });
    return { job: job.id };
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
from .reports import make_report


def register(sio):
    @sio.on("report:request")
    async def request_report(sid, wanted):
        session = await sio.get_session(sid)

        async def run():
            report = await make_report(session["user"].id)
            await sio.emit("report:ready", report, to=sid)  # <- RM024

        sio.start_background_task(run)
        return {"accepted": True}
""",
    good="""\
from .auth import verify_token
from .reports import make_report


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        await sio.enter_room(sid, f"user:{user.id}")

    @sio.on("report:request")
    async def request_report(sid, wanted):
        user = (await sio.get_session(sid))["user"]

        async def run():
            report = await make_report(user.id)
            await sio.emit("report:ready", report, to=f"user:{user.id}")

        sio.start_background_task(run)
        return {"accepted": True}
""",
)

FLASK = Snippet(
    bad="""\
from flask import request
from flask_login import current_user

from .worker import make_report


def register(socketio):
    @socketio.on("report:request")
    def request_report(wanted):
        job = make_report.delay(current_user.id, request.sid)  # <- RM024
        return {"job": job.id}
""",
    good="""\
from flask_login import current_user
from flask_socketio import join_room

from .worker import make_report


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        join_room(f"user:{current_user.id}")

    @socketio.on("report:request")
    def request_report(wanted):
        # the worker emits to the room of this user
        job = make_report.delay(current_user.id)
        return {"job": job.id}
""",
)

RULE = Rule(
    id="RM024",
    mistake="02",
    level="error",
    title="own socket id used in a timer, task or job",
    what="The id of the socket that sent a request is used later, in a timer, a background task or a queued job.",
    why=(
        "If the client reconnects before the work is done, it has a new id, and the result is emitted to nobody. "
        "No error is reported."
    ),
    exceptions="The id is safe while the handler runs, up to its ack.",
    fix={
        "node": (
            "Pass on the user's id, not the socket's, and emit to the user's room, which each connection joins.\n"
            'io.to(`user:${userId}`).emit("event", data);\n'
            'socket.join(`user:${socket.data.user.id}`); // in io.on("connection", …)'
        ),
        "nest": (
            "Pass on the user's id, not the socket's, and emit to the user's room, which each connection joins.\n"
            'this.server.to(`user:${userId}`).emit("event", data);\n'
            "client.join(`user:${client.data.user.id}`); // in handleConnection"
        ),
        "python-socketio": (
            "Pass on the user's id, not the socket's, and emit to the user's room, which each connection joins.\n"
            'await sio.emit("event", data, to=f"user:{user_id}")\n'
            'await sio.enter_room(sid, f"user:{user_id}")  # in the connect handler'
        ),
        "flask": (
            "Pass on the user's id, not the socket's, and emit to the user's room, which each connection joins.\n"
            'socketio.emit("event", data, to=f"user:{user_id}")\n'
            'join_room(f"user:{current_user.id}")  # in the connect handler'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
