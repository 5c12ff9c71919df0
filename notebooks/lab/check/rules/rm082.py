"""RM082: an identity taken from a payload."""

from collections.abc import Iterable

from lab.check.claims import claims_in, proves_itself
from lab.check.facts import Facts
from lab.check.identity import uses_identity
from lab.check.limits import is_for_some
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY


def find(facts: Facts) -> Iterable[Hit]:
    """Yield the first identity that each event handler takes from its payload.

    An identity is, for example, `data.userId`. A handler is left out if it uses an identity that the server verified,
    or checks the identity together with a secret such as a token. A handler that the code registers only for some
    clients, as in `if (user.isAdmin) socket.on(…)`, is left out, too.
    """
    for handler in facts.events:
        if uses_identity(facts, handler) or is_for_some(facts, handler) or proves_itself(facts, handler):
            continue
        node = next(claims_in(facts, handler), None)
        if node is not None:
            yield Hit(facts.path_of(node), node, "the payload says who the user is: does the server verify it?")


NODE = Snippet(
    bad="""\
import { savePosition } from "./positions.js";

export function register(io) {
  io.on("connection", (socket) => {
    socket.on("position:update", async (position, reply) => {
      await savePosition(position.userId, position.lat, position.lng); // <- RM082
      reply({ ok: true });
    });
  });
}
""",
    good="""\
import { savePosition } from "./positions.js";
import { saveMessage } from "./messages.js";

export function register(io) {
  io.on("connection", (socket) => {
    const { user } = socket.data;

    socket.on("position:update", async (position, reply) => {
      await savePosition(user.id, position.lat, position.lng);
      reply({ ok: true });
    });

    // the payload names the receiver, the token the sender
    socket.on("chat:send", async (message, reply) => {
      const saved = await saveMessage({ from: user.id, userId: message.userId, text: message.text });
      reply({ id: saved.id });
    });
  });
}
""",
)

NEST = Snippet(
    bad="""\
import { ChatMessage, MessagesService } from "./messages";
"""
    + GATEWAY
    + """\
  constructor(private readonly messages: MessagesService) {}

  @SubscribeMessage("chat:send")
  async send(@MessageBody() message: ChatMessage) {
    const saved = await this.messages.create(message.senderId, message.text); // <- RM082
    return { id: saved.id };
  }
}
""",
    good="""\
import { ChatMessage, MessagesService } from "./messages";
"""
    + GATEWAY
    + """\
  constructor(private readonly messages: MessagesService) {}

  @SubscribeMessage("chat:send")
  async send(@ConnectedSocket() client: Socket, @MessageBody() message: ChatMessage) {
    const saved = await this.messages.create(client.data.user.id, message.text);
    return { id: saved.id };
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
from .positions import save_position


def register(sio):
    @sio.on("position:update")
    async def update(sid, position):
        await save_position(position["user_id"], position["lat"], position["lng"])  # <- RM082
        return {"ok": True}
""",
    good="""\
from .positions import save_position


def register(sio):
    @sio.on("position:update")
    async def update(sid, position):
        user = (await sio.get_session(sid))["user"]
        await save_position(user.id, position["lat"], position["lng"])
        return {"ok": True}
""",
)

FLASK = Snippet(
    bad="""\
from .messages import save_message


def register(socketio):
    @socketio.on("chat:send")
    def send(message):
        saved = save_message(message["sender"], message["text"])  # <- RM082
        return {"id": saved.id}
""",
    good="""\
from flask_login import current_user

from .messages import save_message


def register(socketio):
    @socketio.on("chat:send")
    def send(message):
        saved = save_message(current_user.id, message["text"])
        return {"id": saved.id}
""",
)

RULE = Rule(
    id="RM082",
    mistake="08",
    level="question",
    title="identity taken from the payload",
    what=(
        "A user id, a sender or a role is taken from the payload of an event, and the handler does not use the "
        "verified identity."
    ),
    why=(
        "Any user can write another user's id there, and so send messages in their name, move their position or "
        "use their role."
    ),
    exceptions=(
        'The id names a target and not the sender, as in "send to this user"; the handler then also uses the '
        "verified identity."
    ),
    fix={
        "node": (
            "Verify a token once for each connection, and take the user from there, whatever the payload says.\n"
            "io.use((socket, next) => verify(socket.handshake.auth.token).then( // verify: yours, async\n"
            "  (user) => { socket.data.user = user; next(); }, next));\n"
            "const userId = socket.data.user.id; // in place of the field of the payload"
        ),
        "nest": (
            "Verify a token once for each connection, take the user from there, and leave the field out of the "
            "DTO.\n"
            "afterInit(server: Server) { server.use(verifyToken); } // verifyToken sets client.data.user\n"
            "send(@ConnectedSocket() client: Socket) { const userId = client.data.user.id; }"
        ),
        "python-socketio": (
            "Verify a token once for each connection, and take the user from the session, whatever the payload "
            "says.\n"
            'await sio.save_session(sid, {"user": verify_token(auth["token"])})  # in the connect handler\n'
            'user_id = (await sio.get_session(sid))["user"].id  # in place of the field of the payload'
        ),
        "flask": (
            "Take the user from `current_user` or from Flask's signed `session`, whatever the payload says.\n"
            "user_id = current_user.id  # in place of the field of the payload"
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
    accounts=True,
    severity="6.5",
)
