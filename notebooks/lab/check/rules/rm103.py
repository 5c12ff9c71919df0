"""RM103: a server that accepts any origin."""

import re
from collections.abc import Iterable

from lab.check.choices import choices
from lab.check.facts import Facts
from lab.check.ir import Const, Op, Sequence
from lab.check.limits import is_development, made_servers
from lab.check.model import Hit, Rule, Snippet


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each server that allows any origin."""
    for server in made_servers(facts):
        value = server.option("cors.origin", "cors_allowed_origins", "origins", "cors")
        if value is None or is_development(server.node, value):
            continue
        for found in choices(facts, value):
            match found:
                case Const(value="*") | Const(value="*:*"):
                    told = "pages of any website may connect"
                    if isinstance(facts.follow(value), Op):
                        # the settings may name an origin
                        yield Hit(facts.path_of(value), value, f"{told} when no other value is set", "warning")
                    else:
                        yield Hit(facts.path_of(value), value, told)
                case Const(value=True):
                    yield Hit(facts.path_of(value), value, "pages of any website may connect: `true` allows any origin")
                case Sequence(items=[]) if server.module.source.language == "py" and not _checks_origins(facts):
                    told = "an empty list turns the check of the origin off"
                    yield Hit(facts.path_of(value), value, told, "question")


def _checks_origins(facts: Facts) -> bool:
    """Tell whether the project has a function that checks origins.

    That is so if the name of a function contains "origin".
    """
    functions = (func.name for module in facts.modules for func in module.funcs)
    return any(re.search(r"origin", name, re.I) for name in functions)


NODE = Snippet(
    bad="""\
import { Server } from "socket.io";
import { verifyToken } from "./auth.js";
import { limitRate } from "./rate-limit.js";

export function createSocketServer(httpServer) {
  const io = new Server(httpServer, {
    maxHttpBufferSize: 16_384,
    cors: { origin: "*" }, // <- RM103
  });
  io.use(verifyToken);
  io.use(limitRate);
  io.on("connection", (socket) => socket.join(`user:${socket.data.user.id}`));
  return io;
}
""",
    good="""\
import { Server } from "socket.io";
import { verifyToken } from "./auth.js";
import { limitRate } from "./rate-limit.js";

const ORIGINS = ["https://app.example.com", "https://admin.example.com"];

export function createSocketServer(httpServer) {
  const io = new Server(httpServer, {
    maxHttpBufferSize: 16_384,
    cors: { origin: ORIGINS },
    allowRequest: (request, done) => done(null, ORIGINS.includes(request.headers.origin)),
  });
  io.use(verifyToken);
  io.use(limitRate);
  io.on("connection", (socket) => socket.join(`user:${socket.data.user.id}`));
  return io;
}

// any origin, but during development only
export function createPreviewServer(httpServer) {
  const io = new Server(httpServer, {
    maxHttpBufferSize: 16_384,
    cors: { origin: process.env.NODE_ENV === "production" ? ORIGINS : "*" },
  });
  io.use(verifyToken);
  io.use(limitRate);
  return io;
}
""",
)

NEST = Snippet(
    bad="""\
import { UsePipes, ValidationPipe } from "@nestjs/common";
import { WebSocketGateway } from "@nestjs/websockets";
import { Server } from "socket.io";
import { rateLimit, verifyToken } from "./middleware";

@UsePipes(new ValidationPipe())
@WebSocketGateway({
  maxHttpBufferSize: 16_384,
  cors: { origin: "*", credentials: true }, // <- RM103
})
export class OrdersGateway {
  afterInit(server: Server) {
    server.use(verifyToken);
    server.use(rateLimit);
  }
}
""",
    good="""\
import { UsePipes, ValidationPipe } from "@nestjs/common";
import { WebSocketGateway } from "@nestjs/websockets";
import { Server } from "socket.io";
import { rateLimit, verifyToken } from "./middleware";
import { allowRequest } from "./origins";

@UsePipes(new ValidationPipe())
@WebSocketGateway({
  maxHttpBufferSize: 16_384,
  cors: { origin: ["https://app.example.com"], credentials: true },
  allowRequest,
})
export class OrdersGateway {
  afterInit(server: Server) {
    server.use(verifyToken);
    server.use(rateLimit);
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
import socketio

from .auth import verify_token


def create_server():
    sio = socketio.AsyncServer(
        async_mode="asgi",
        max_http_buffer_size=16_384,
        cors_allowed_origins="*",  # <- RM103
    )

    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.enter_room(sid, f"user:{user.id}")

    return sio


# an empty list switches the check off
status = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=[])  # <- RM103
""",
    good="""\
import socketio

from .auth import verify_token


def create_server():
    sio = socketio.AsyncServer(
        async_mode="asgi",
        max_http_buffer_size=16_384,
        cors_allowed_origins=["https://app.example.com"],
    )

    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.enter_room(sid, f"user:{user.id}")

    return sio


# same origin only
status = socketio.AsyncServer(async_mode="asgi")
""",
)

FLASK = Snippet(
    bad="""\
from flask import Flask
from flask_socketio import SocketIO

app = Flask(__name__)
socketio = SocketIO(app, max_http_buffer_size=16_384, cors_allowed_origins="*")  # <- RM103
""",
    good="""\
from flask import Flask
from flask_socketio import SocketIO

app = Flask(__name__)
socketio = SocketIO(app, max_http_buffer_size=16_384, cors_allowed_origins=["https://app.example.com"])
""",
)

RULE = Rule(
    id="RM103",
    mistake="10",
    level="error",
    title="any origin allowed",
    what=(
        'The server accepts connections from pages of any origin: `"*"`, `true`, or in Python an empty list, '
        "which switches the check off."
    ),
    why=(
        "Any web page that a user opens can connect to the server from that user's browser, and read what the "
        "server sends. If a cookie logs the user in, the page also acts in the user's name."
    ),
    exceptions=(
        "A branch for development only, a server that checks the origin elsewhere, or a public server without a login. "
        "Where each page must send a token of its own, which no other page can read, little is at risk. A default "
        "that the settings may replace is a warning. An empty list "
        'in Python is a question, as it may be meant as "nobody".'
    ),
    fix={
        "node": (
            "List the origins of your own pages, and set both options: `cors` is for long polling, and only "
            "`allowRequest` refuses a WebSocket. A client without an Origin is no browser page, and may connect. The "
            "`cors` setting of your HTTP routes is separate.\n"
            'const ORIGINS = (process.env.ORIGINS ?? "http://localhost:3000").split(","); // scheme, host, port\n'
            "const io = new Server(httpServer, { cors: { origin: ORIGINS }, // and your other options\n"
            "  allowRequest: (req, done) => done(null, !req.headers.origin || ORIGINS.includes(req.headers.origin)) });"
        ),
        "nest": (
            "List the origins of your own pages, and set both options: `cors` is for long polling, and only "
            "`allowRequest` refuses a WebSocket. A client without an Origin is no browser page, and may connect. The "
            "`cors` setting of your HTTP routes is separate.\n"
            'const ORIGINS = (process.env.ORIGINS ?? "http://localhost:3000").split(","); // scheme, host, port\n'
            "@WebSocketGateway({ cors: { origin: ORIGINS }, // and your other options\n"
            "  allowRequest: (req, done) => done(null, !req.headers.origin || ORIGINS.includes(req.headers.origin)) })"
        ),
        "python-socketio": (
            "List the origins of your own pages, or leave the option out to allow the same origin only.\n"
            'sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=["https://app.example.com"])'
        ),
        "flask": (
            "List the origins of your own pages, or leave the option out to allow the same origin only.\n"
            'socketio = SocketIO(app, cors_allowed_origins=["https://app.example.com"])'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
    once=True,
    severity="5.3",
)
