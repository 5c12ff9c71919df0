"""RM101: a server without a rate limit."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.limits import limits_rates, limits_size, made_servers, open_events, takes_events
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.scopes import method
from lab.check.wrappers import does_nothing, wrapped_classes


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each server that nothing protects from a flood of events.

    A method that overrides the rate check of this kit's class `Gateway` and does nothing is reported, too.
    """
    for cls, wrapper in wrapped_classes(facts.project):
        check = method(cls, wrapper.rate_check)
        if check is not None and does_nothing(check):
            yield Hit(facts.path_of(check), check, "this takes the wrapper's rate limit away")
    if not facts.once(open_events) or limits_rates(facts):
        return
    for server in made_servers(facts):
        if takes_events(facts, server):
            asked = "how often" if limits_size(server) else "how much and how often"
            yield Hit(server.module.path, server.node, f"what limits {asked} a client sends?")


NODE = Snippet(
    bad="""\
import { Server } from "socket.io";
import { verifyToken } from "./auth.js";
import { saveMessage } from "./messages.js";
import { chatMessage } from "./schemas.js";

export function createSocketServer(httpServer) {
  const io = new Server(httpServer); // <- RM101
  io.use(verifyToken);
  io.on("connection", (socket) => {
    socket.on("chat:send", async (message, reply) => {
      const parsed = chatMessage.safeParse(message);
      if (!parsed.success) return reply({ error: "invalid_payload" });
      reply(await saveMessage(socket.data.user.id, parsed.data.text));
    });
  });
  return io;
}
""",
    good="""\
import { RateLimiterMemory } from "rate-limiter-flexible";
import { Server } from "socket.io";
import { verifyToken } from "./auth.js";
import { saveMessage } from "./messages.js";
import { chatMessage } from "./schemas.js";

const limiter = new RateLimiterMemory({ points: 20, duration: 1 });

export function createSocketServer(httpServer) {
  const io = new Server(httpServer, { maxHttpBufferSize: 16_384 });
  io.use(verifyToken);
  io.on("connection", (socket) => {
    const { user } = socket.data;
    socket.use((_, next) => limiter.consume(user.id).then(() => next(), () => next(new Error("rate_limited"))));

    socket.on("chat:send", async (message, reply) => {
      const parsed = chatMessage.safeParse(message);
      if (!parsed.success) return reply({ error: "invalid_payload" });
      reply(await saveMessage(user.id, parsed.data.text));
    });
  });
  return io;
}

// this server only pushes
export function createStatusServer(httpServer) {
  const io = new Server(httpServer);
  io.use(verifyToken);
  io.on("connection", (socket) => socket.join(`company:${socket.data.user.company}`));
  return io;
}
""",
)

NEST = Snippet(
    bad="""\
import { UsePipes, ValidationPipe } from "@nestjs/common";
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { Server, Socket } from "socket.io";
import { ChatMessage } from "./chat-message.dto";
import { ChatService } from "./chat.service";
import { verifyToken } from "./middleware";

@UsePipes(new ValidationPipe())
@WebSocketGateway() // <- RM101
export class ChatGateway {
  constructor(private readonly chat: ChatService) {}

  afterInit(server: Server) {
    server.use(verifyToken);
  }

  @SubscribeMessage("chat:send")
  send(@ConnectedSocket() client: Socket, @MessageBody() message: ChatMessage) {
    return this.chat.save(client.data.user.id, message.text);
  }
}
""",
    good="""\
import { ChatMessage, ChatService } from "./chat";
"""
    + GATEWAY
    + """\
  constructor(private readonly chat: ChatService) {}

  @SubscribeMessage("chat:send")
  send(@ConnectedSocket() client: Socket, @MessageBody() message: ChatMessage) {
    return this.chat.save(client.data.user.id, message.text);
  }
}
""",
)

PYTHON_SOCKETIO = Snippet(
    bad="""\
import socketio

from .auth import verify_token
from .messages import save_message
from .schemas import ChatMessage

sio = socketio.AsyncServer(async_mode="asgi")  # <- RM101


@sio.event
async def connect(sid, environ, auth):
    await sio.save_session(sid, {"user": verify_token(auth["token"])})


@sio.on("chat:send")
async def send(sid, data):
    message = ChatMessage.model_validate(data)
    user = (await sio.get_session(sid))["user"]
    return {"id": await save_message(user.id, message.text)}
""",
    good="""\
import socketio
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from .auth import verify_token
from .messages import save_message
from .schemas import ChatMessage

sio = socketio.AsyncServer(async_mode="asgi", max_http_buffer_size=16_384)
limiter = MovingWindowRateLimiter(MemoryStorage())
per_user = parse("20/second")


@sio.event
async def connect(sid, environ, auth):
    await sio.save_session(sid, {"user": verify_token(auth["token"])})


@sio.on("chat:send")
async def send(sid, data):
    user = (await sio.get_session(sid))["user"]
    if not await limiter.hit(per_user, user.id):
        return {"error": "rate_limited"}
    message = ChatMessage.model_validate(data)
    return {"id": await save_message(user.id, message.text)}
""",
)

FLASK = Snippet(
    bad="""\
from flask_login import current_user
from flask_socketio import SocketIO

from .messages import save_message
from .schemas import ChatMessage

socketio = SocketIO()  # <- RM101


@socketio.on("chat:send")
def send(data):
    message = ChatMessage.model_validate(data)
    return {"id": save_message(current_user.id, message.text)}
""",
    good="""\
from flask_login import current_user
from flask_socketio import SocketIO

from .messages import save_message
from .rate_limits import within_rate_limit
from .schemas import ChatMessage

socketio = SocketIO(max_http_buffer_size=16_384)


@socketio.on("chat:send")
def send(data):
    if not within_rate_limit(current_user.id):
        return {"error": "rate_limited"}
    message = ChatMessage.model_validate(data)
    return {"id": save_message(current_user.id, message.text)}
""",
)

RULE = Rule(
    id="RM101",
    mistake="10",
    level="question",
    title="no rate limit for what clients send",
    what=(
        "Nothing in the project limits how often a client sends; a limit of the size alone is not enough. Reported "
        "once, at the line that creates the server."
    ),
    why=(
        "One script with a valid token can fill the memory with large messages and keep the event loop busy with "
        "many small ones; all other users wait."
    ),
    exceptions=(
        "A server that only pushes and has no event handlers. Limits may also stand in a proxy in front of the "
        "server, which the checker does not see."
    ),
    fix={
        "node": (
            "Set `maxHttpBufferSize` of `new Server` to your largest message (1 MB if unset), such as 16_384, "
            "and count the events of each user, or of each `socket.handshake.address` where no user is verified.\n"
            "const limiter = new RateLimiterMemory({ points: 20, duration: 1 }); // of rate-limiter-flexible\n"
            'socket.use((_, next) => limiter.consume(socket.data.user.id).then( // in io.on("connection", …)\n'
            '  () => next(), () => next(new Error("rate_limited"))));'
        ),
        "nest": (
            "Set the size of your largest message (1 MB if unset), and count each user's events, for example "
            "with the package rate-limiter-flexible.\n"
            "@WebSocketGateway({ maxHttpBufferSize: 16_384 })\n"
            "@UseGuards(RateLimitGuard) // its canActivate: await limiter.consume(client.data.user.id)"
        ),
        "python-socketio": (
            "Set the size of your largest message (1 MB if unset), and count each user's events, for example "
            "with the package limits.\n"
            'sio = socketio.AsyncServer(async_mode="asgi", max_http_buffer_size=16_384)\n'
            'if not limiter.hit(parse("20/second"), user_id): return  # first in each handler'
        ),
        "flask": (
            "Set the size of your largest message (1 MB if unset), and count each user's events, for example "
            "with the package limits.\n"
            "socketio = SocketIO(app, max_http_buffer_size=16_384)\n"
            'if not limiter.hit(parse("20/second"), current_user.id): return  # first in each handler'
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
    once=True,
)
