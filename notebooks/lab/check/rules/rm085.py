"""RM085: an identity taken from an unverified handshake."""

from collections.abc import Iterable

from lab.check.claims import handshake_claims
from lab.check.facts import Facts
from lab.check.identity import verifies
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.scopes import function_of


def find(facts: Facts) -> Iterable[Hit]:
    """Yield the first identity that each function reads from the handshake.

    An identity is, for example, the `userId` of the query. Only functions that handlers run are searched. Nothing is
    reported if a connect handler or a middleware checks who the client is, for example with `verifyToken(…)`.
    """
    if verifies(facts, "connect", "middleware"):
        return
    for module in facts.modules:
        for func in module.funcs:
            if not facts.handlers.of(func):
                continue
            own = (node for node in handshake_claims(facts, func) if function_of(node) is func)
            node = next(own, None)
            if node is not None:
                yield Hit(module.path, node, "the handshake says who the user is: does the server verify it?")


NODE = Snippet(
    bad="""\
import { savePosition } from "./positions.js";

export function register(io) {
  io.on("connection", (socket) => {
    const userId = socket.handshake.query.userId; // <- RM085

    socket.on("position:update", async (position, reply) => {
      await savePosition(userId, position.lat, position.lng);
      reply({ ok: true });
    });
  });
}
""",
    good="""\
import jwt from "jsonwebtoken";
import { savePosition } from "./positions.js";

export function register(io) {
  io.use((socket, next) => {
    try {
      const claims = jwt.verify(socket.handshake.auth.token, process.env.JWT_KEY, { algorithms: ["HS256"] });
      socket.data.user = { id: claims.sub, language: socket.handshake.query.language };
      next();
    } catch {
      next(new Error("unauthorized"));
    }
  });
  io.on("connection", (socket) => {
    socket.on("position:update", async (position, reply) => {
      await savePosition(socket.data.user.id, position.lat, position.lng);
      reply({ ok: true });
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { PositionUpdate, PositionsService } from "./positions";
"""
    + GATEWAY
    + """\
  constructor(private readonly positions: PositionsService) {}

  handleConnection(@ConnectedSocket() client: Socket) {
    client.data.driverId = client.handshake.auth.userId; // <- RM085
  }

  @SubscribeMessage("position:update")
  async update(@ConnectedSocket() client: Socket, @MessageBody() position: PositionUpdate) {
    await this.positions.save(client.data.driverId, position.lat, position.lng);
  }
}
""",
    good="""\
import { PositionUpdate, PositionsService } from "./positions";
"""
    + GATEWAY
    + """\
  constructor(private readonly positions: PositionsService) {}

  @SubscribeMessage("position:update")
  async update(@ConnectedSocket() client: Socket, @MessageBody() position: PositionUpdate) {
    await this.positions.save(client.data.user.id, position.lat, position.lng);
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
from .positions import save_position


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        await sio.save_session(sid, {"user_id": auth["user_id"]})  # <- RM085

    @sio.on("position:update")
    async def update(sid, position):
        session = await sio.get_session(sid)
        await save_position(session["user_id"], position["lat"], position["lng"])
""",
    good="""\
import os

import jwt
from socketio.exceptions import ConnectionRefusedError

from .positions import save_position


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        try:
            claims = jwt.decode(auth["token"], os.environ["JWT_KEY"], algorithms=["HS256"])
        except (KeyError, TypeError, jwt.InvalidTokenError):
            raise ConnectionRefusedError("unauthorized") from None
        await sio.save_session(sid, {"user_id": claims["sub"]})

    @sio.on("position:update")
    async def update(sid, position):
        session = await sio.get_session(sid)
        await save_position(session["user_id"], position["lat"], position["lng"])
""",
)

FLASK = Snippet(
    bad="""\
from flask import request, session

from .positions import save_position


def register(socketio):
    @socketio.on("connect")
    def connect():
        session["user_id"] = request.args["user_id"]  # <- RM085

    @socketio.on("position:update")
    def update(position):
        save_position(session["user_id"], position["lat"], position["lng"])
""",
    good="""\
from flask_login import current_user

from .positions import save_position


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False

    @socketio.on("position:update")
    def update(position):
        save_position(current_user.id, position["lat"], position["lng"])
""",
)

RULE = Rule(
    id="RM085",
    mistake="08",
    level="question",
    title="identity taken from an unverified handshake",
    what=(
        "A user id or a role is read from the handshake (its query, auth data, headers or cookies) and used "
        "without verification."
    ),
    why=(
        "The client writes the handshake, so one that sends another user's id acts as that user. It does so for "
        "the whole connection."
    ),
    exceptions=(
        "The value is a signed token that is verified before use, or it is a preference, such as a language, and "
        "no identity."
    ),
    fix={
        "node": (
            "Let clients send a signed token in `auth`, verify it, and take the user from its claims.\n"
            "io.use((socket, next) => verify(socket.handshake.auth.token).then( // verify: yours, async\n"
            "  (user) => { socket.data.user = user; next(); }, next));\n"
            "const userId = socket.data.user.id; // in place of this line"
        ),
        "nest": (
            "Let clients send a signed token in `auth`, verify it in a middleware, and take the user from its "
            "claims.\n"
            "afterInit(server: Server) { server.use(verifyToken); } // verifyToken sets client.data.user\n"
            "handleConnection(client: Socket) { const userId = client.data.user.id; } // in place of this line"
        ),
        "python-socketio": (
            "Let clients send a signed token in `auth`, verify it in the connect handler, and save its user.\n"
            'await sio.save_session(sid, {"user": verify_token(auth["token"])})  # in connect'
        ),
        "flask": (
            "Log users in by HTTP, and take the user from `current_user` or the signed `session`.\n"
            "if not current_user.is_authenticated: return False  # in the connect handler\n"
            "user_id = current_user.id"
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
    accounts=True,
    severity="8.1",
)
