"""RM104: payloads without validation."""

from collections.abc import Iterable

from lab.check import limits
from lab.check.facts import Facts
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.scopes import method
from lab.check.wrappers import does_nothing, wrapped_classes


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each server whose handlers use payloads without validation.

    If the project validates payloads, only payloads that NestJS's `ValidationPipe` cannot check are reported. A method
    that overrides the payload check of this kit's class `Gateway` and does nothing is reported, too.
    """
    for cls, wrapper in wrapped_classes(facts.project):
        check = method(cls, wrapper.payload_check)
        if check is not None and does_nothing(check):
            yield Hit(facts.path_of(check), check, "this takes the wrapper's validation away")
    if not facts.once(limits.open_events) or not limits.reads_payloads(facts):
        return
    if limits.validates(facts):
        told = "a validation pipe checks nothing here, because the type of the payload is no class"
        yield from (Hit(facts.path_of(param), param, told) for param in limits.unpiped_payloads(facts))
        return
    told = "does anything validate what clients send? nothing was found"
    if limits.has_global_pipe_only(facts):
        told = "does anything validate what clients send? Nest's global pipes do not reach gateways"
    for server in limits.made_servers(facts):
        if limits.takes_events(facts, server):
            yield Hit(server.module.path, server.node, told)


NODE = Snippet(
    bad="""\
import { Server } from "socket.io";
import { verifyToken } from "./auth.js";
import { saveMessage } from "./messages.js";
import { limitRate } from "./rate-limit.js";

export function createSocketServer(httpServer) {
  const io = new Server(httpServer, { maxHttpBufferSize: 16_384 }); // <- RM104
  io.use(verifyToken);
  io.use(limitRate);
  io.on("connection", (socket) => {
    socket.on("chat:send", async (message, reply) => {
      reply(await saveMessage(socket.data.user.id, message.text));
    });
  });
  return io;
}
""",
    good="""\
import { Server } from "socket.io";
import { z } from "zod";
import { verifyToken } from "./auth.js";
import { saveMessage } from "./messages.js";
import { limitRate } from "./rate-limit.js";

const chatMessage = z.object({ text: z.string().max(2000) });

export function createSocketServer(httpServer) {
  const io = new Server(httpServer, { maxHttpBufferSize: 16_384 });
  io.use(verifyToken);
  io.use(limitRate);
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
)

NEST = Snippet(
    bad="""\
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { Server, Socket } from "socket.io";
import { ChatService } from "./chat.service";
import { rateLimit, verifyToken } from "./middleware";

@WebSocketGateway({ maxHttpBufferSize: 16_384 }) // <- RM104
export class ChatGateway {
  constructor(private readonly chat: ChatService) {}

  afterInit(server: Server) {
    server.use(verifyToken);
    server.use(rateLimit);
  }

  @SubscribeMessage("chat:send")
  send(@ConnectedSocket() client: Socket, @MessageBody() message: any) {
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
from .rate_limits import within_rate_limit

sio = socketio.AsyncServer(async_mode="asgi", max_http_buffer_size=16_384)  # <- RM104


@sio.event
async def connect(sid, environ, auth):
    await sio.save_session(sid, {"user": verify_token(auth["token"])})


@sio.on("chat:send")
async def send(sid, data):
    user = (await sio.get_session(sid))["user"]
    if not within_rate_limit(user.id):
        return {"error": "rate_limited"}
    return {"id": await save_message(user.id, data["text"])}
""",
    good="""\
import socketio
from pydantic import BaseModel, Field

from .auth import verify_token
from .messages import save_message
from .rate_limits import within_rate_limit

sio = socketio.AsyncServer(async_mode="asgi", max_http_buffer_size=16_384)


class ChatMessage(BaseModel):
    text: str = Field(max_length=2000)


@sio.event
async def connect(sid, environ, auth):
    await sio.save_session(sid, {"user": verify_token(auth["token"])})


@sio.on("chat:send")
async def send(sid, data):
    user = (await sio.get_session(sid))["user"]
    if not within_rate_limit(user.id):
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
from .rate_limits import within_rate_limit

socketio = SocketIO(max_http_buffer_size=16_384)  # <- RM104


@socketio.on("chat:send")
def send(data):
    if not within_rate_limit(current_user.id):
        return {"error": "rate_limited"}
    return {"id": save_message(current_user.id, data["text"])}
""",
    good="""\
from flask_login import current_user
from flask_socketio import SocketIO
from pydantic import BaseModel, Field

from .messages import save_message
from .rate_limits import within_rate_limit

socketio = SocketIO(max_http_buffer_size=16_384)


class ChatMessage(BaseModel):
    text: str = Field(max_length=2000)


@socketio.on("chat:send")
def send(data):
    if not within_rate_limit(current_user.id):
        return {"error": "rate_limited"}
    message = ChatMessage.model_validate(data)
    return {"id": save_message(current_user.id, message.text)}
""",
)

RULE = Rule(
    id="RM104",
    mistake="10",
    level="question",
    title="payloads without validation",
    what=(
        "The handlers use what clients send without checking its type, form and length. Reported once, at the "
        "line that creates the server. If a project validates with Nest's `ValidationPipe`, the first payload of "
        "a gateway that the pipe cannot check is reported. Nest's global pipes do not check what gateways get."
    ),
    why=(
        "A payload of a wrong type raises an error in the handler, which then sends no ack or stops the process. "
        "A long or nested one is stored and sent on to others."
    ),
    exceptions="A server that only pushes and has no event handlers.",
    fix={
        "node": (
            "Parse each payload with a schema before use, for example with zod.\n"
            "const chatMessage = z.object({ text: z.string().max(2000) });\n"
            "const parsed = chatMessage.safeParse(message); // first in the handler of the event\n"
            "if (!parsed.success) return;"
        ),
        "nest": (
            "Put a `ValidationPipe` on the gateway, and type each payload as a DTO class with validators of "
            "class-validator; an interface is not checked.\n"
            "@UsePipes(new ValidationPipe()) // above @WebSocketGateway\n"
            "class ChatMessage { @IsString() @MaxLength(2000) text: string; }"
        ),
        "python-socketio": (
            "Parse each payload with a model before use, for example with pydantic.\n"
            "class ChatMessage(BaseModel): text: str = Field(max_length=2000)\n"
            "message = ChatMessage.model_validate(data)  # first in the handler of the event"
        ),
        "flask": (
            "Parse each payload with a model before use, for example with pydantic.\n"
            "class ChatMessage(BaseModel): text: str = Field(max_length=2000)\n"
            "message = ChatMessage.model_validate(data)  # first in the handler of the event"
        ),
    },
    snippets={"node": NODE, "nest": NEST, "python-socketio": PYTHON_SOCKETIO, "flask": FLASK},
    find=find,
    once=True,
)
