"""RM061: an emit to everyone."""

import re
from collections.abc import Iterable

from lab.check.claims import has_accounts
from lab.check.facts import Facts
from lab.check.model import Hit, Rule, Snippet
from lab.check.names import names_in
from lab.check.rules.nest_gateway import GATEWAY

# words of events that are meant for all, and phrases for lists of who is there
FOR_ALL = {
    "announce", "announcement", "system", "notice", "maintenance", "count", "counts", "total", "stats", "news",
    "shutdown", "restart", "reload", "closing", "global", "public", "lobby", "leaderboard",
}  # fmt: skip
LISTS = re.compile(
    r"online_?users|users?_?list|get_?users|active_?users|users_?online|rooms?_?list|all_?rooms|room_?updated?", re.I
)


def is_for_all(event: str) -> bool:
    """Tell whether the name of an event says that everyone receives it.

    An example is `announcement`.
    """
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", event)}
    return bool(words & FOR_ALL) or bool(LISTS.search(event))


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each emit to everyone, except for events meant for all.

    For a program that has neither rooms nor user accounts, nothing is reported: it has no group of clients that must
    not get the event.
    """
    if not (facts.actions.joins or has_accounts(facts)):
        return
    for emit in facts.actions.emits:
        if emit.aim != "everyone" or (
            emit.event is not None and any(is_for_all(name) for name in names_in(emit.event))
        ):
            continue
        yield Hit(emit.module.path, emit.node, "does every connected client need this?")


NODE = Snippet(
    bad="""\
export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);

    socket.on("position:update", (position) => {
      io.emit("driver:position", { driver: user.id, lat: position.lat, lng: position.lng }); // <- RM061
    });
  });
}
""",
    good="""\
export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`company:${user.company}`);

    socket.on("position:update", (position) => {
      const room = `company:${user.company}`;
      io.to(room).emit("driver:position", { driver: user.id, lat: position.lat, lng: position.lng });
    });

    socket.on("announcement:send", (text) => {
      if (user.role !== "admin") return;
      io.emit("announcement", { text });
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { PositionUpdate } from "./position-update";
"""
    + GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`);
  }

  @SubscribeMessage("position:update")
  update(@ConnectedSocket() client: Socket, @MessageBody() position: PositionUpdate) {
    this.server.emit("driver:position", { ...position, driver: client.data.user.id }); // <- RM061
  }
}
""",
    good="""\
import { PositionUpdate } from "./position-update";
"""
    + GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`company:${client.data.user.company}`);
  }

  @SubscribeMessage("position:update")
  update(@ConnectedSocket() client: Socket, @MessageBody() position: PositionUpdate) {
    const { user } = client.data;
    this.server.to(`company:${user.company}`).emit("driver:position", { ...position, driver: user.id });
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
from .auth import verify_token


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        await sio.enter_room(sid, f"user:{user.id}")

    @sio.on("position:update")
    async def update(sid, position):
        user = (await sio.get_session(sid))["user"]
        await sio.emit("driver:position", {"driver": user.id, "lat": position["lat"]})  # <- RM061
""",
    good="""\
from .auth import verify_token


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.save_session(sid, {"user": user})
        await sio.enter_room(sid, f"company:{user.company}")

    @sio.on("position:update")
    async def update(sid, position):
        user = (await sio.get_session(sid))["user"]
        message = {"driver": user.id, "lat": position["lat"]}
        await sio.emit("driver:position", message, to=f"company:{user.company}")

    @sio.on("announcement:send")
    async def announce(sid, text):
        user = (await sio.get_session(sid))["user"]
        if user.role == "admin":
            await sio.emit("announcement", {"text": text})
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user
from flask_socketio import emit, join_room


def register(socketio):
    @socketio.on("connect")
    def connect():
        join_room(f"user:{current_user.id}")

    @socketio.on("position:update")
    def update(position):
        message = {"driver": current_user.id, "lat": position["lat"]}
        emit("driver:position", message, broadcast=True)  # <- RM061
""",
    good="""\
from flask_login import current_user
from flask_socketio import emit, join_room


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        join_room(f"company:{current_user.company_id}")

    @socketio.on("position:update")
    def update(position):
        message = {"driver": current_user.id, "lat": position["lat"]}
        emit("driver:position", message, to=f"company:{current_user.company_id}")
""",
)

RULE = Rule(
    id="RM061",
    mistake="06",
    level="question",
    title="emit to everyone",
    what="A handler or an HTTP route emits to all connected clients, without a room.",
    why=(
        "Each client receives what only a few need. So the cost of one message grows with the number of users. Any "
        "browser console shows data of other users."
    ),
    exceptions=(
        "A true announcement, a count of users, or an application without rooms or accounts has no smaller audience."
    ),
    fix={
        "node": (
            "Emit to the room of the users concerned, and let each connection join it.\n"
            'io.to(`company:${user.company}`).emit("event", data);\n'
            'socket.join(`company:${socket.data.user.company}`); // in io.on("connection", …)'
        ),
        "nest": (
            "Emit to the room of the users concerned, and let each connection join it.\n"
            'this.server.to(`company:${user.company}`).emit("event", data);\n'
            "client.join(`company:${client.data.user.company}`); // in handleConnection"
        ),
        "python-socketio": (
            "Emit to the room of the users concerned, and let each connection enter it.\n"
            'await sio.emit("event", data, to=f"company:{user.company}")\n'
            'await sio.enter_room(sid, f"company:{user.company}")  # in the connect handler'
        ),
        "flask": (
            "Emit to the room of the users concerned, in place of `broadcast=True`, and let each connection "
            "join it.\n"
            'emit("event", data, to=f"company:{current_user.company_id}")\n'
            'join_room(f"company:{current_user.company_id}")  # in the connect handler'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
    accounts=True,
)
