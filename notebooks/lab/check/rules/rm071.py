"""RM071: an earlier connection of a user closed by a new one."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each place that closes a user's earlier connections."""
    return ()


NODE = Snippet(
    bad="""\
export function register(io) {
  io.on("connection", async (socket) => {
    const { user } = socket.data;
    const earlier = await io.in(`user:${user.id}`).fetchSockets();
    for (const other of earlier) {
      other.disconnect(true); // <- RM071
    }
    socket.join(`user:${user.id}`);
  });
}
""",
    good="""\
import { changePassword } from "./accounts.js";

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.join(`user:${user.id}`);

    // other sessions end when the password changes
    socket.on("password:change", async (password, reply) => {
      await changePassword(user.id, password);
      reply({ ok: true });
      io.in(`user:${user.id}`).disconnectSockets(true);
    });
  });
}
""",
)

NEST = Snippet(
    bad=GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    const room = `user:${client.data.user.id}`;
    this.server.in(room).disconnectSockets(true); // <- RM071
    client.join(room);
  }
}
""",
    good=GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`);
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
        room = f"user:{user.id}"
        for other, _ in list(sio.manager.get_participants("/", room)):
            await sio.disconnect(other)  # <- RM071
        await sio.enter_room(sid, room)
""",
    good="""\
from .auth import verify_token


def register(sio):
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        await sio.enter_room(sid, f"user:{user.id}")
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user
from flask_socketio import disconnect, join_room


def register(socketio):
    @socketio.on("connect")
    def connect():
        room = f"user:{current_user.id}"
        for other, _ in list(socketio.server.manager.get_participants("/", room)):
            disconnect(sid=other)  # <- RM071
        join_room(room)
""",
    good="""\
from flask_login import current_user
from flask_socketio import join_room


def register(socketio):
    @socketio.on("connect")
    def connect():
        if not current_user.is_authenticated:
            return False
        join_room(f"user:{current_user.id}")
""",
)

RULE = Rule(
    id="RM071",
    mistake="07",
    level="question",
    title="second tab closes the first one",
    what="When a user connects, the server closes an earlier connection of the same user, or refuses the new one.",
    why=(
        "Users have several tabs and devices. Each tab that is closed reconnects and closes the other one in "
        "turn, and a forgotten phone locks out the computer in the office."
    ),
    exceptions=(
        "A product that must allow one session only. It should end the older session at its token, and not by a "
        "table of sockets. Ending other sessions when the password changes is fine."
    ),
    fix={
        "node": (
            "Let every connection of the user join `user:<id>`, and emit to that room; it reaches all tabs and devices."
        ),
        "nest": (
            "Let every connection of the user join `user:<id>` in `handleConnection`, and emit to that room; it "
            "reaches all tabs and devices."
        ),
        "python-socketio": (
            "Let every connection of the user enter `user:<id>` in the connect handler, and emit to that room; it "
            "reaches all tabs and devices."
        ),
        "flask": (
            "Let every connection of the user join `user:<id>` in the connect handler, and emit to that room; it "
            "reaches all tabs and devices."
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
)
