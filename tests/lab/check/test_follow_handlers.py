"""Tests that handlers and what clients send are known in JavaScript."""

import pytest

from .projects import differences

# the payload of a handler names a room: RM083 fires at the emit where the payload is known as the client's
HEAD = 'import { Server } from "socket.io";\nconst io = new Server(3000);\n'
EMIT = 'io.to(data.room).emit("chat", data.text); // <- RM083\n'
REGISTRATIONS = {
    "inline": f'io.on("connection", (socket) => {{\n  socket.on("say", (data) => {{\n    {EMIT}  }});\n}});\n',
    "old-name": f'io.sockets.on("connect", function (socket) {{\n  socket.on("say", function (data) {{\n    {EMIT}'
    "  });\n});\n",
    "namespace": f'io.of("/chat").on("connection", (socket) => {{\n  socket.on("say", (data) => {{\n    {EMIT}  }});\n'
    "});\n",
    "by-name": f'io.on("connection", onConnection);\nfunction onConnection(socket) {{\n  socket.on("say", onSay);\n}}\n'
    f"function onSay(data) {{\n  {EMIT}}}\n",
    "arrow-by-name": f'const onSay = (data) => {{\n  {EMIT}}};\nio.on("connection", (socket) => {{\n'
    '  socket.on("say", onSay);\n});\n',
    "wrapped": f'io.on("connection", (socket) => {{\n  socket.on("say", safe((data) => {{\n    {EMIT}  }}));\n}});\n',
    "wrapped-by-name": f"const onSay = (data) => {{\n  {EMIT}}};\n"
    'io.on("connection", (socket) => {\n  socket.on("say", withLog("say", onSay));\n});\n',
    "bound": f'io.on("connection", (socket) => {{\n  socket.on("say", onSay.bind(socket));\n}});\n'
    f"function onSay(data) {{\n  {EMIT}}}\n",
    "bound-method": f'class Chat {{\n  start() {{\n    io.on("connection", this.welcome.bind(this));\n  }}\n'
    '  welcome(socket) {\n    socket.on("say", this.say.bind(this));\n  }\n'
    f"  say(data) {{\n    {EMIT}  }}\n}}\nnew Chat().start();\n",
    "any": f'io.on("connection", (socket) => {{\n  socket.onAny((event, data) => {{\n    {EMIT}  }});\n}});\n',
    "once": f'io.on("connection", (socket) => {{\n  socket.once("say", (data) => {{\n    {EMIT}  }});\n}});\n',
    "called-with-socket": f'io.on("connection", (socket) => {{\n  addChat(socket);\n}});\nfunction addChat(socket) {{\n'
    f'  socket.on("say", (data) => {{\n    {EMIT}  }});\n}}\n',
    "called-with-both": f'io.on("connection", (socket) => addChat(io, socket));\nfunction addChat(io, socket) {{\n'
    f'  const onSay = (data) => {{\n    {EMIT}  }};\n  socket.on("say", onSay);\n}}\n',
    "loop-over-table": f'const events = {{\n  say(data) {{\n    {EMIT}  }},\n}};\nio.on("connection", (socket) => {{\n'
    "  for (const [event, run] of Object.entries(events)) socket.on(event, run);\n});\n",
    "bound-to-socket": f'io.on("connection", (client) => {{\n  client.on("say", function (data) {{\n    {EMIT}'
    "  }.bind(client));\n});\n",
}


@pytest.mark.parametrize("form", REGISTRATIONS)
def test_a_handler_is_known_however_it_is_registered(tmp_path, form):
    assert differences(tmp_path, HEAD + REGISTRATIONS[form]) == []


# forms of a payload, and the expression that is a room
PAYLOADS = {
    "field": ("data", "", "data.room"),
    "index": ("data", "", 'data["room"]'),
    "whole": ("room", "", "room"),
    "destructured": ("{ room, text }", "", "room"),
    "renamed": ("{ room: place }", "", "place"),
    "nested": ("{ to: { room } }", "", "room"),
    "default": ("{ room = 'lobby' } = {}", "", "room"),
    "rest": ("{ text, ...more }", "", "more.room"),
    "second": ("text, room", "", "room"),
    "array": ("[room, text]", "", "room"),
    "spread": ("...args", "", "args[0]"),
    "assigned": ("data", "const { room } = data;", "room"),
    "assigned-later": ("data", "let room;\n    room = data.room;", "room"),
    "converted": ("data", "const room = String(data.room).trim();", "room"),
    "parsed": ("data", "const { room } = JSON.parse(data);", "room"),
    "template": ("data", "const room = `chat:${data.room}`;", "room"),
    "joined-text": ("data", 'const room = "chat:" + data.room;', "room"),
    "optional": ("data", "", "data?.room"),
    "either": ("data", "const room = data.room || data.channel;", "room"),
    "awaited": ("data", "const room = await data.room;", "room"),
    "copied": ("data", "const wanted = { ...data };", "wanted.room"),
    "object": ("data", "const wanted = { room: data.room };", "wanted.room"),
    "typed": ("data", "const room = data.room;", "room"),
}
PAYLOAD = """\
=== server.js
import { Server } from "socket.io";
const io = new Server(3000);
io.on("connection", (socket) => {
  socket.on("say", async (%s) => {
    %s
    io.to(%s).emit("chat", 1); // <- RM083
  });
});
"""


@pytest.mark.parametrize("form", PAYLOADS)
def test_what_a_client_sends_is_followed(tmp_path, form):
    assert differences(tmp_path, PAYLOAD % PAYLOADS[form]) == []


DEEPER = {
    "function": """\
io.on("connection", (socket) => {
  socket.on("say", (data) => deliver(data.room, data.text));
});
function deliver(room, text) {
  io.to(room).emit("chat", text); // <- RM083
}
""",
    "whole-payload": """\
io.on("connection", (socket) => {
  socket.on("say", (data) => deliver(socket, data));
});
function deliver(socket, message) {
  io.to(message.room).emit("chat", message.text); // <- RM083
}
""",
    "join": """\
io.on("connection", (socket) => {
  socket.on("enter", (data) => enter(socket, data.room));
});
function enter(socket, room) {
  socket.join(room); // <- RM081
}
""",
    "method": """\
class Chat {
  say(data) {
    this.deliver(data.room, data.text);
  }
  deliver(room, text) {
    io.to(room).emit("chat", text); // <- RM083
  }
}
const chat = new Chat();
io.on("connection", (socket) => {
  socket.on("say", (data) => chat.say(data));
});
""",
    "returned": """\
const roomOf = (message) => message.room;
io.on("connection", (socket) => {
  socket.on("say", (data) => {
    io.to(roomOf(data)).emit("chat", data.text); // <- RM083
  });
});
""",
    "named-room": """\
const roomName = (id) => `chat:${id}`;
io.on("connection", (socket) => {
  socket.on("say", (data) => {
    io.to(roomName(data.id)).emit("chat", data.text); // <- RM083
  });
});
""",
    "list": """\
io.on("connection", (socket) => {
  socket.on("enter", (data) => {
    data.rooms.forEach((room) => socket.join(room)); // <- RM081
  });
});
""",
    "loop": """\
io.on("connection", (socket) => {
  socket.on("enter", (data) => {
    for (const room of data.rooms) socket.join(room); // <- RM081
  });
});
""",
    "callback": """\
io.on("connection", (socket) => {
  socket.on("enter", (data, reply) => {
    setImmediate(() => socket.join(data.room)); // <- RM081
    reply({ ok: true });
  });
});
""",
}


@pytest.mark.parametrize("form", DEEPER)
def test_what_a_client_sends_is_followed_into_a_call(tmp_path, form):
    assert differences(tmp_path, HEAD + DEEPER[form]) == []


OTHER_FILES = """\
=== server.js
const { Server } = require("socket.io");
const io = new Server(3000);
require("./sockets")(io);
=== sockets/index.js
const chat = require("./chat");
const rooms = require("./rooms");
module.exports = (io) => {
  io.on("connection", (socket) => {
    chat(io, socket);
    rooms.register(socket);
  });
};
=== sockets/chat.js
module.exports = (io, socket) => {
  socket.on("say", (data) => {
    io.to(data.room).emit("chat", data.text); // <- RM083
  });
};
=== sockets/rooms.js
const { enter } = require("../services/enter");
exports.register = (socket) => {
  socket.on("enter", (data) => enter(socket, data.room));
};
=== services/enter.js
exports.enter = (socket, room) => {
  socket.join(room); // <- RM081
};
"""
TYPESCRIPT = """\
=== src/index.ts
import { createServer } from "node:http";
import { Server } from "socket.io";
import registerChat from "./handlers/chat";
import { registerRooms } from "./handlers";

const io = new Server<ClientEvents, ServerEvents>(createServer());
io.on("connection", (socket) => {
  registerChat(io, socket);
  registerRooms(socket);
});
=== src/handlers/index.ts
export { registerRooms } from "./rooms";
=== src/handlers/chat.ts
import type { Server, Socket } from "socket.io";

interface Said { room: string; text: string }

export default function registerChat(io: Server, socket: Socket): void {
  const say = ({ room, text }: Said): void => {
    io.to(room).emit("chat", text); // <- RM083
  };
  socket.on("say", say);
}
=== src/handlers/rooms.ts
import type { Socket } from "socket.io";

export const registerRooms = (client: Socket): void => {
  client.on("enter", (room: string, reply?: (ok: boolean) => void) => {
    client.join(room as string); // <- RM081
    reply?.(true);
  });
};
"""


@pytest.mark.parametrize("text", [OTHER_FILES, TYPESCRIPT], ids=["javascript", "typescript"])
def test_handlers_in_other_files_are_known(tmp_path, text):
    assert differences(tmp_path, text) == []


NEST = """\
=== chat.gateway.ts
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway, WebSocketServer } from "@nestjs/websockets";
import { Server, Socket } from "socket.io";
import { ChatService } from "./chat.service";

@WebSocketGateway({ namespace: "chat" })
export class ChatGateway {
  @WebSocketServer() private readonly server!: Server;
  constructor(private readonly chat: ChatService) {}

  @SubscribeMessage("say")
  say(@MessageBody() { room, text }: Said) {
    this.server.to(room).emit("chat", text); // <- RM083
  }

  @SubscribeMessage("whisper")
  whisper(@MessageBody("room") room: string, @MessageBody("text") text: string) {
    this.server.to(room).emit("chat", text); // <- RM083
  }

  @SubscribeMessage("enter")
  async enter(client: Socket, payload: { room: string }) {
    await client.join(payload.room); // <- RM081
  }

  @SubscribeMessage("enter:later")
  async later(@ConnectedSocket() client: Socket, @MessageBody() payload: { room: string }) {
    await this.chat.enter(client, payload.room);
  }
}
=== chat.service.ts
import { Socket } from "socket.io";

export class ChatService {
  async enter(client: Socket, room: string) {
    await client.join(room); // <- RM081
  }
}
"""


def test_handlers_of_a_nest_gateway_are_known(tmp_path):
    assert differences(tmp_path, NEST) == []
