"""Tests on kinds of Python and Nest code from blind sets."""

import pytest

from .projects import differences, only_finding

FLASK = """\
from flask import Flask, request
from flask_socketio import SocketIO, emit, join_room

from .auth import verify_token

socketio = SocketIO(Flask(__name__))
games = {}


@socketio.on("connect")
def connect(auth):
    verify_token(auth)


"""
KEPT = {
    "record-in-a-variable": """\
def keep(code, player):
    games[code] = {"players": [player]}


@socketio.on("create")
def create():
    player = {"name": "first", "socket_id": request.sid}  # <- RM011
    keep("code", player)
""",
    "next-of-a-list": """\
@socketio.on("rejoin")
def rejoin():
    player = next((one for one in games["code"]["players"] if one["name"] == "first"), None)
    player["socket_id"] = request.sid  # <- RM011
""",
    "helper-with-the-request": """\
def sid(request):
    return getattr(request, "sid", None)


@socketio.on("ready")
def ready():
    games["code"] = sid(request)  # <- RM011
""",
    "redis": """\
from .redis import r


def tell(player):
    socketio.emit("note", to=r.hget(f"player:{player}", "sid"))  # <- RM021


@socketio.on("disconnect")
def disconnect():
    r.hdel("players", request.sid)  # <- RM051
""",
    "flag-of-a-kept-record": """\
@socketio.on("disconnect")
def disconnect():
    player = games["code"]
    player["connected"] = False  # <- RM052
""",
    "room-code-beside-ids": """\
@socketio.on("rejoin")
def rejoin():
    player = next((one for one in games["code"]["players"] if one["name"] == "first"), None)
    player["socket_id"] = request.sid  # <- RM011


def tell():
    for code, game in games.items():
        emit("note", game, to=code)
""",
}


@pytest.mark.parametrize("form", KEPT)
def test_state_of_flask_is_known(tmp_path, form):
    assert differences(tmp_path, FLASK + KEPT[form], name="app.py") == []


SCHEMAS = {
    "typed-dict": "from typing import TypedDict\n\n\nclass Player(TypedDict):\n    host_sid: str  # <- RM014\n",
    "model": "from pydantic import BaseModel\n\n\nclass Player(BaseModel):\n    latest_sid: str  # <- RM014\n",
    "telephone": "from pydantic import BaseModel\n\n\nclass Account(BaseModel):\n    account_sid: str\n",
    "document": "from pydantic import BaseModel\n\n\nclass Letter(BaseModel):\n    doc_sid: str\n",
}


@pytest.mark.parametrize("form", SCHEMAS)
def test_a_field_for_socket_ids_is_known(tmp_path, form):
    assert differences(tmp_path, SCHEMAS[form], name="models.py", select="RM014") == []


NAMESPACE = """\
=== game/socketio/server.py
import socketio

sio = socketio.AsyncServer(cors_allowed_origins="*")  # <- RM103
=== game/socketio/__init__.py
from .server import sio
=== game/socketio/table.py
import socketio

from . import sio


class Table(socketio.AsyncNamespace):
    players = {}
=== game/socketio/long_table.py
from .table import Table


class LongTable(Table):
    async def on_enter(self, sid, data):
        self.players[data["table"]] = sid  # <- RM011
"""


def test_a_folder_named_like_the_library_is_no_library(tmp_path):
    assert differences(tmp_path, NAMESPACE, select="RM011,RM103") == []


NEST = """\
=== chat.dto.ts
export class ChatDto {
  text: string;
}
=== chat.gateway.ts
import { UseGuards, UsePipes, ValidationPipe } from "@nestjs/common";
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { Server, Socket } from "socket.io";
import { ChatDto } from "./chat.dto";
import { WsJwtGuard } from "./ws-jwt.guard";
import { authenticate } from "./auth";

@UseGuards(WsJwtGuard)
@UsePipes(new ValidationPipe())
@WebSocketGateway()
export class ChatGateway {
  afterInit(server: Server) {
    server.use(async (socket, next) => {
      socket.data.user = await authenticate(socket.handshake.auth.token);
      next();
    });
  }

  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`);
  }

  @UseGuards(WsJwtGuard)
  @SubscribeMessage("typing")
  typing(
    @ConnectedSocket() client: Socket,
    @MessageBody() data: { room: string }, // <- RM104
  ) {
    client.to(data.room).emit("typing"); // <- RM083
  }

  @SubscribeMessage("say")
  say(@ConnectedSocket() client: Socket, @MessageBody() data: ChatDto) {
    client.emit("said", data.text);
  }
}
"""


def test_guards_and_pipes_of_nest_are_understood(tmp_path):
    assert differences(tmp_path, NEST, select="RM083,RM084,RM104") == []


# Nest's global pipes do not check what gateways get (nestjs/nest issue 3475)
GLOBAL_PIPES = {
    "useGlobalPipes": "app.useGlobalPipes(new ValidationPipe({ whitelist: true }));",
    "APP_PIPE": "const providers = [{ provide: APP_PIPE, useClass: ValidationPipe }];",
}
GATEWAY = """\
=== main.ts
import { ValidationPipe } from "@nestjs/common";
import { IoAdapter } from "@nestjs/platform-socket.io";

PIPE
app.useWebSocketAdapter(new IoAdapter(app));
=== chat.gateway.ts
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";

class ChatDto {
  text: string;
}

USED
@WebSocketGateway() // <- RM104
export class ChatGateway {
  @SubscribeMessage("say")
  say(@ConnectedSocket() client: Socket, @MessageBody() data: ChatDto) {
    client.emit("said", data.text);
  }
}
"""


@pytest.mark.parametrize("form", GLOBAL_PIPES)
def test_a_global_pipe_checks_no_payload_of_a_gateway(tmp_path, form):
    finding = only_finding(tmp_path, GATEWAY.replace("PIPE\n", GLOBAL_PIPES[form]).replace("USED\n", ""), "RM104")
    assert (finding.path, finding.message) == (
        "chat.gateway.ts",
        "does anything validate what clients send? Nest's global pipes do not reach gateways",
    )


@pytest.mark.parametrize("pipe", ["new ValidationPipe()", "WsValidationPipe"])
@pytest.mark.parametrize("form", GLOBAL_PIPES)
def test_a_pipe_of_the_gateway_checks_its_payloads(tmp_path, form, pipe):
    text = GATEWAY.replace("PIPE\n", GLOBAL_PIPES[form]).replace("USED", f"@UsePipes({pipe})")
    assert differences(tmp_path, text.replace(" // <- RM104", ""), select="RM104") == []


TYPES = """\
=== sockets.ts
import { Socket } from "node:net";
import { Socket as Remote } from "socket.io-client";
import { Server } from "socket.io";

export const io = new Server(3000);
const lines = new Set();
export function add(socket: Socket) {
  lines.add(socket);
}
export function addRemote(socket: Remote) {
  lines.add(socket);
}
export function addModule(module: SocketModule) {
  lines.add(module);
}
"""


def test_sockets_of_other_libraries_are_no_sockets(tmp_path):
    assert differences(tmp_path, TYPES) == []
