"""Tests that a server is known behind getters, exports and fields."""

import pytest

from .projects import differences

# the server is called `hub` where its name must not help
NODE = """\
=== people.js
export const people = new Map();
=== sockets.js
import { people } from "./people.js";
export function onConnection(socket) {
  people.set(socket.data.user.id, socket.id); // <- RM011
}
=== notify.js
import { people } from "./people.js";
%(imported)s
export function notify(user, text) {
  %(server)s.to(people.get(user)).emit("note", text); // <- RM021
}
%(files)s
"""
MAKE = """\
import { Server } from "socket.io";
import { onConnection } from "./sockets.js";
"""
# id -> import, expression, files
NODE_FORMS = {
    "getter": (
        'import { getIO } from "./realtime.js";',
        "getIO()",
        f"=== realtime.js\n{MAKE}let server;\n"
        'export function start(http) {\n  server = new Server(http);\n  server.on("connection", onConnection);\n}\n'
        "export const getIO = () => server;\n",
    ),
    "getter-of-any-name": (
        'import { theHub } from "./realtime.js";',
        "theHub()",
        f"=== realtime.js\n{MAKE}let hub = null;\n"
        'export function start(http) {\n  hub = new Server(http);\n  hub.on("connection", onConnection);\n}\n'
        'export function theHub() {\n  if (!hub) throw new Error("not started");\n  return hub;\n}\n',
    ),
    "named-export": (
        'import { hub } from "./realtime.js";',
        "hub",
        f'=== realtime.js\n{MAKE}export const hub = new Server(3000);\nhub.on("connection", onConnection);\n',
    ),
    "renamed-export": (
        'import { wires as lines } from "./realtime.js";',
        "lines",
        f'=== realtime.js\n{MAKE}const hub = new Server(3000);\nhub.on("connection", onConnection);\n'
        "export { hub as wires };\n",
    ),
    "default-export": (
        'import lines from "./realtime.js";',
        "lines",
        f'=== realtime.js\n{MAKE}const hub = new Server(3000);\nhub.on("connection", onConnection);\n'
        "export default hub;\n",
    ),
    "re-export": (
        'import { hub } from "./lib/index.js";',
        "hub",
        '=== lib/index.js\nexport { hub } from "../realtime.js";\n'
        f'=== realtime.js\n{MAKE}export const hub = new Server(3000);\nhub.on("connection", onConnection);\n',
    ),
    "re-export-of-default": (
        'import { lines } from "./lib";',
        "lines",
        '=== lib/index.js\nexport { default as lines } from "../realtime.js";\n'
        f'=== realtime.js\n{MAKE}const hub = new Server(3000);\nhub.on("connection", onConnection);\n'
        "export default hub;\n",
    ),
    "export-star": (
        'import { hub } from "./lib/index.js";',
        "hub",
        '=== lib/index.js\nexport * from "./other.js";\nexport * from "../realtime.js";\n'
        "=== lib/other.js\nexport const answer = 42;\n"
        f'=== realtime.js\n{MAKE}export const hub = new Server(3000);\nhub.on("connection", onConnection);\n',
    ),
    "namespace-import": (
        'import * as realtime from "./realtime.js";',
        "realtime.hub",
        f'=== realtime.js\n{MAKE}export const hub = new Server(3000);\nhub.on("connection", onConnection);\n',
    ),
    "path-alias": (
        'import { hub } from "@/realtime";',
        "hub",
        f"=== src/realtime.js\n{MAKE.replace('./', '../')}"
        'export const hub = new Server(3000);\nhub.on("connection", onConnection);\n',
    ),
    "socket-namespace": (
        'import { hub } from "./realtime.js";',
        'hub.of("/chat")',
        f"=== realtime.js\n{MAKE}export const hub = new Server(3000);\n"
        'hub.of("/chat").on("connection", onConnection);\n',
    ),
    "field-of-an-object": (
        'import { services } from "./realtime.js";',
        "services.hub",
        f"=== realtime.js\n{MAKE}export const services = {{ hub: new Server(3000) }};\n"
        'services.hub.on("connection", onConnection);\n',
    ),
    "made-by-a-function": (
        'import { hub } from "./realtime.js";',
        "hub",
        f"=== realtime.js\n{MAKE}function make() {{\n  const made = new Server(3000);\n  return made;\n}}\n"
        'export const hub = make();\nhub.on("connection", onConnection);\n',
    ),
}


@pytest.mark.parametrize("form", NODE_FORMS)
def test_a_server_is_followed_in_node(tmp_path, form):
    imported, server, files = NODE_FORMS[form]
    assert differences(tmp_path, NODE % {"imported": imported, "server": server, "files": files}) == []


COMMONJS = """\
=== people.js
exports.people = {};
=== sockets.js
const { people } = require("./people");
module.exports = (socket) => {
  people[socket.data.user.id] = socket.id; // <- RM011
};
=== notify.js
const { people } = require("./people");
%(imported)s
exports.notify = (user, text) => {
  %(server)s.to(people[user]).emit("note", text); // <- RM021
};
=== realtime.js
const { Server } = require("socket.io");
const onConnection = require("./sockets");
%(exported)s
"""
COMMONJS_FORMS = {
    "exports-object": (
        'const { hub } = require("./realtime");',
        "hub",
        'const hub = new Server(3000);\nhub.on("connection", onConnection);\nmodule.exports = { hub };',
    ),
    "exports-the-server": (
        'const hub = require("./realtime");',
        "hub",
        'const hub = new Server(3000);\nhub.on("connection", onConnection);\nmodule.exports = hub;',
    ),
    "exports-field": (
        'const realtime = require("./realtime");',
        "realtime.hub",
        'exports.hub = new Server(3000);\nexports.hub.on("connection", onConnection);',
    ),
    "init-and-get": (
        'const socketServer = require("./realtime");',
        "socketServer.getIO()",
        "let hub;\nmodule.exports = {\n  init: (http) => {\n    hub = new Server(http);\n"
        '    hub.on("connection", onConnection);\n    return hub;\n  },\n  getIO: () => hub,\n};',
    ),
    "required-in-place": (
        "",
        'require("./realtime").hub',
        'const hub = new Server(3000);\nhub.on("connection", onConnection);\nmodule.exports.hub = hub;',
    ),
    "called-require": (
        'const { hub } = require("./realtime");',
        "hub",
        'const hub = require("socket.io")(3000);\nhub.on("connection", onConnection);\nmodule.exports = { hub };',
    ),
}


@pytest.mark.parametrize("form", COMMONJS_FORMS)
def test_a_server_is_followed_in_commonjs(tmp_path, form):
    imported, server, exported = COMMONJS_FORMS[form]
    assert differences(tmp_path, COMMONJS % {"imported": imported, "server": server, "exported": exported}) == []


EXPRESS = """\
=== app.js
const express = require("express");
const { Server } = require("socket.io");
const people = require("./people");
const app = express();
const server = require("http").createServer(app);
const hub = new Server(server);
app.set("%(key)s", hub);
hub.on("connection", (socket) => {
  people.set(socket.data.user.id, socket.id); // <- RM011
});
app.use("/orders", require("./orders"));
=== people.js
module.exports = new Map();
=== orders.js
const router = require("express").Router();
const people = require("./people");
router.post("/", async (req, res) => {
  const %(name)s = req.app.get("%(key)s");
  %(name)s.to(people.get(req.body.owner)).emit("order:new", req.body.id); // <- RM021
  res.sendStatus(204);
});
module.exports = router;
"""


@pytest.mark.parametrize(("key", "name"), [("io", "io"), ("io", "hub"), ("socketio", "io")])
def test_a_server_is_followed_through_express(tmp_path, key, name):
    assert differences(tmp_path, EXPRESS % {"key": key, "name": name}) == []


CLASS = """\
=== hub.ts
import { Server, Socket } from "socket.io";

export class Hub {
  private people = new Map<string, string>();
  constructor(private readonly line: Server) {
    this.line.on("connection", (socket: Socket) => this.welcome(socket));
  }

  private welcome(socket: Socket) {
    this.people.set(socket.data.user.id, socket.id); // <- RM011
  }

  notify(user: string, text: string) {
    this.line.to(this.people.get(user)!).emit("note", text); // <- RM021
  }
}
"""
NEST = """\
=== chat.gateway.ts
import { OnGatewayConnection, WebSocketGateway, WebSocketServer } from "@nestjs/websockets";
import { Server, Socket } from "socket.io";
import { People } from "./people";

@WebSocketGateway()
export class ChatGateway implements OnGatewayConnection {
  @WebSocketServer() wires: Server;
  constructor(private readonly people: People) {}

  handleConnection(client: Socket) {
    this.people.known.set(client.data.user.id, client.id); // <- RM011
  }

  notify(user: string, text: string) {
    this.wires.to(this.people.known.get(user)).emit("note", text); // <- RM021
  }
}
=== people.ts
export class People {
  readonly known = new Map<string, string>();
}
"""
NEST_SERVICE = """\
=== chat.gateway.ts
import { OnGatewayConnection, WebSocketGateway, WebSocketServer } from "@nestjs/websockets";
import { Server, Socket } from "socket.io";
import { People } from "./people";

@WebSocketGateway()
export class ChatGateway implements OnGatewayConnection {
  @WebSocketServer() wires: Server;
  constructor(private readonly people: People) {}

  handleConnection(client: Socket) {
    this.people.remember(client.data.user.id, client.id);
  }
}
=== people.ts
export class People {
  private readonly known = new Map<string, string>();

  remember(user: string, line: string) {
    this.known.set(user, line); // <- RM011
  }

  socketOf(user: string) {
    return this.known.get(user);
  }
}
=== orders.service.ts
import { ChatGateway } from "./chat.gateway";
import { People } from "./people";

export class OrdersService {
  constructor(private readonly gateway: ChatGateway, private readonly people: People) {}

  accept(owner: string) {
    this.gateway.wires.to(this.people.socketOf(owner)).emit("order:accepted"); // <- RM021
  }
}
"""


@pytest.mark.parametrize("text", [CLASS, NEST, NEST_SERVICE], ids=["class", "gateway", "service"])
def test_a_server_in_a_field_is_followed(tmp_path, text):
    assert differences(tmp_path, text) == []


def test_a_type_leads_to_a_file_without_socket_words(tmp_path):
    assert differences(tmp_path, NEST_SERVICE.replace("socketOf", "lineOf")) == []


@pytest.mark.xfail(strict=True, reason="a method `add` of the project's own class counts as a write to a collection")
def test_an_own_method_named_add_is_followed(tmp_path):
    assert differences(tmp_path, NEST_SERVICE.replace("remember", "add")) == []
