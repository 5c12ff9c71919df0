"""RM091: blocking work in a handler."""

import re
from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.ir import Call, Const, Func, Loop, Node
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.running import is_offloaded, uses_threads
from lab.check.scopes import enclosing, function_of

# dotted names of functions that block
SLOW = re.compile(
    # Node
    r"(^|\.)((fs(-extra)?|child_process|crypto|zlib|bcrypt(js)?)\.\w+Sync"
    # Python: waiting, and other programs and servers
    r"|time\.sleep|subprocess\.(run|call|check_output|check_call)|os\.system"
    r"|requests\.(get|post|put|delete|patch|request|head)|urllib\.request\.urlopen|smtplib\.SMTP"
    # Python: hashing
    r"|bcrypt\.(hashpw|checkpw)|hashlib\.(pbkdf2_hmac|scrypt))$"
)
# functions of Node, imported by their own name
SYNC_NAME = re.compile(
    # hashing
    r"^(hash|compare|pbkdf2|scrypt|genSalt|generateKeyPair|randomFill"
    # files, other programs and compression
    r"|readFile|writeFile|appendFile|exec|execFile|spawn|gzip|deflate)Sync$"
)
# these block at any depth of calls
HASHES = re.compile(r"hash|compare|pbkdf2|scrypt|salt|checkpw", re.I)
# steps of a loop that take long
MANY = 1_000_000


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each blocking call and long loop in a handler.

    A call that computes a hash is also reported in a function that a handler calls. A call that reads a file or starts
    a child process is reported only in the handler itself: another function can do this work once and keep the result.
    """
    seen: set[tuple[str, int]] = set()
    direct = {id(handler.func) for handler in facts.handlers.all}
    for module, node in facts.nodes(Call, Loop):
        if not facts.handlers_at(node, "connect", "event", "disconnect", "middleware") or is_offloaded(node):
            continue
        if isinstance(node, Call) and _blocks(facts, node):
            name = getattr(node.func, "name", "")
            new = (module.path, node.line) not in seen
            if new and (HASHES.search(name) or any(id(func) in direct for func in enclosing(node, Func))):
                seen.add((module.path, node.line))
                yield Hit(module.path, node, f"`{name}` blocks the event loop, so all clients wait")
        elif isinstance(node, Loop) and _is_long(node):
            yield Hit(module.path, node, "this loop blocks the event loop, so all clients wait")


def _blocks(facts: Facts, call: Call) -> bool:
    name = getattr(call.func, "name", "")
    outside = facts.project.outside(call.func)
    if outside in ("time.sleep", "requests.get", "requests.post") and uses_threads(facts, call):
        return False
    return bool(SLOW.search(outside)) or bool(SYNC_NAME.match(name)) or (name == "SessionLocal" and _is_async(call))


def _is_async(node: Node) -> bool:
    func = function_of(node)
    return func is not None and func.is_async


def _is_long(loop: Loop) -> bool:
    bounds = (part.value for part in loop.iterable.walk() if isinstance(part, Const))
    return any(isinstance(bound, int | float) and bound >= MANY for bound in bounds)


NODE = Snippet(
    bad="""\
import bcrypt from "bcrypt";
import { readFileSync } from "node:fs";
import { savePassword } from "./accounts.js";

export function register(io) {
  io.on("connection", (socket) => {
    socket.on("password:change", async (password, reply) => {
      const hash = bcrypt.hashSync(password, 12); // <- RM091
      await savePassword(socket.data.user.id, hash);
      reply({ ok: true });
    });

    socket.on("terms:get", (reply) => {
      reply({ text: readFileSync("terms.md", "utf8") }); // <- RM091
    });
  });
}
""",
    good="""\
import bcrypt from "bcrypt";
import { readFileSync } from "node:fs";
import { savePassword } from "./accounts.js";

// read once, before the server starts
const terms = readFileSync("terms.md", "utf8");

export function register(io) {
  io.on("connection", (socket) => {
    socket.on("password:change", async (password, reply) => {
      const hash = await bcrypt.hash(password, 12);
      await savePassword(socket.data.user.id, hash);
      reply({ ok: true });
    });

    socket.on("terms:get", (reply) => {
      reply({ text: terms });
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { execSync } from "node:child_process";
"""
    + GATEWAY
    + """\
  @SubscribeMessage("version:get")
  version() {
    const commit = execSync("git rev-parse HEAD").toString(); // <- RM091
    return { commit };
  }
}
""",
    good="""\
import { execFile } from "node:child_process";
import { promisify } from "node:util";
"""
    + GATEWAY
    + """\
  @SubscribeMessage("version:get")
  async version() {
    const { stdout } = await promisify(execFile)("git", ["rev-parse", "HEAD"]);
    return { commit: stdout };
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
import time

import requests


def register(sio):
    @sio.on("weather:get")
    async def weather(sid):
        answer = requests.get("https://weather.example.com/now", timeout=5)  # <- RM091
        return answer.json()

    @sio.on("report:request")
    async def report(sid):
        time.sleep(2)  # <- RM091
        return {"ready": True}
""",
    good="""\
import asyncio

import requests


def register(sio):
    @sio.on("weather:get")
    async def weather(sid):
        answer = await asyncio.to_thread(requests.get, "https://weather.example.com/now", timeout=5)
        return answer.json()

    @sio.on("report:request")
    async def report(sid):
        await asyncio.sleep(2)
        return {"ready": True}
""",
)

FLASK = Snippet(
    bad="""\
import subprocess


def register(socketio):
    @socketio.on("report:request")
    def report(wanted):
        done = subprocess.run(["make-report"], capture_output=True, timeout=60)  # <- RM091
        return {"bytes": len(done.stdout)}
""",
    good="""\
from flask_login import current_user

from .worker import make_report


def register(socketio):
    @socketio.on("report:request")
    def report(wanted):
        job = make_report.delay(current_user.id)
        return {"job": job.id}
""",
)

RULE = Rule(
    id="RM091",
    mistake="09",
    level="warning",
    title="blocking work in a handler",
    what=(
        "A handler does blocking work: synchronous hashing, file or child-process calls, HTTP requests that wait, "
        "sleeps, or loops over large data."
    ),
    why=(
        "One event loop serves all connections: while one user's work runs, the messages, acks and heartbeats of "
        "all others wait. Long work makes clients lose their connections."
    ),
    exceptions=(
        "Work that is handed to a thread, a pool or a queue. An awaited query is slow for its user but blocks "
        "nobody else."
    ),
    fix={
        "node": (
            "Use the asynchronous form of the call, and put heavy CPU work into a worker thread or a queue.\n"
            "const hash = await bcrypt.hash(password, 12); // not hashSync\n"
            'const text = await readFile("terms.md", "utf8"); // of node:fs/promises, not readFileSync'
        ),
        "nest": (
            "Use the asynchronous form of the call, and put heavy CPU work into a queue such as BullMQ.\n"
            "const hash = await bcrypt.hash(password, 12); // not hashSync\n"
            'const text = await readFile("terms.md", "utf8"); // of node:fs/promises, not readFileSync'
        ),
        "python-socketio": (
            "Use an asynchronous library or a thread for blocking I/O, and a process pool or a queue for CPU "
            "work.\n"
            "result = await asyncio.to_thread(blocking_call, argument)"
        ),
        "flask": (
            "Put the work into a queue such as Celery or RQ, and let the worker emit to the user's room.\n"
            "make_report.delay(current_user.id)  # in the handler\n"
            'SocketIO(message_queue=REDIS_URL).emit("event", data, to=f"user:{user_id}")  # in the worker'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
