"""Tests on kinds of Node code from blind sets."""

import pytest

from .projects import differences

HEAD = """\
import { Server } from "socket.io";
import { verifyToken } from "./auth.js";
const io = new Server(3000);
io.use(async (socket, next) => {
  socket.data.user = await verifyToken(socket.handshake.auth.token);
  next();
});
"""
KEPT = {
    "field-of-a-class": """\
class Table {
  host = "";
  tell(text) {
    io.to(this.host).emit("note", text); // <- RM021
  }
}
const tables = new Map();
const tableOf = (socket): Table => tables.get(socket.data.table);
io.on("connection", (socket) => {
  const table = tableOf(socket);
  table.host = socket.id; // <- RM011
});
""",
    "compared-with-its-own": """\
io.on("connection", (socket) => {
  socket.on("lock", () => {
    const table = tableOf(socket.data.table);
    if (table.socketId === socket.id) io.to(table.socketId).emit("locked");
  });
});
""",
    "getter-of-the-project": """\
const games = new Map();
async function gameOf(code) {
  return games.get(code);
}
io.on("connection", async (socket) => {
  const game = await gameOf(socket.data.user.game);
  game.players[socket.data.user.id] = socket.id; // <- RM011
});
""",
    "only-asked": """\
const ready = new Set();
io.on("connection", (socket) => {
  ready.add(socket.id); // <- RM011
  socket.on("say", () => ready.has(socket.id) && socket.broadcast.to("staff").emit("said"));
});
""",
    "object-of-a-connection": """\
class Monitor {
  constructor(id, socket) {
    this.id = id;
    this.socket = socket;
  }
}
const monitors = new Map();
io.on("connection", (socket) => {
  const monitor = new Monitor(socket.id, socket);
  monitors.set(socket.id, monitor); // <- RM012
});
""",
    "looked-up-now": """\
function line(room) {
  const ids = io.sockets.adapter.rooms.get(room);
  return Array.from(ids).map((id) => io.sockets.sockets.get(id));
}
""",
    "offer-of-a-call": """\
io.on("connection", (socket) => {
  socket.on("offer", ({ socketId, offer }) => passOn(socket, { socketId, offer }));
});
function passOn(socket, { socketId, offer }) {
  socket.to(socketId).emit("offer", { offer });
}
""",
}


@pytest.mark.parametrize("form", KEPT)
def test_an_id_that_is_kept_is_known(tmp_path, form):
    assert differences(tmp_path, HEAD + KEPT[form], name="server.ts") == []


GUARDS = {
    "all-connections": """\
const people = {};
io.on("connection", (socket) => {
  people[socket.id] = socket.data.user; // <- RM012
  socket.on("say", (data) => {
    if (!(socket.id in people)) return;
    io.to(data.room).emit("said", data.text); // <- RM083
  });
});
""",
    "not-to-oneself": """\
io.on("connection", (socket) => {
  socket.on("typing", (data) => {
    if (socket.data.user.id === data.friend) return;
    io.to(data.friend).emit("typing"); // <- RM083
  });
});
""",
    "fixed-list": """\
const CHANNELS = { news: 1, sport: 2 };
io.on("connection", (socket) => {
  socket.on("follow", (data) => {
    const wanted = data.channels.filter((name) => Object.hasOwn(CHANNELS, name));
    for (const channel of wanted) socket.join(channel);
  });
});
""",
    "new-room": """\
import { rooms } from "./rooms.js";
io.on("connection", (socket) => {
  socket.on("open", (data) => {
    if (rooms.has(data.room)) return;
    rooms.set(data.room, { title: data.title });
    socket.join(data.room);
  });
});
""",
    "namespace-of-one": """\
function announce(game, text) {
  const hall = io.of(`/game/${game}`);
  hall.emit("news-of-game", text);
}
""",
}


@pytest.mark.parametrize("form", GUARDS)
def test_a_right_is_told_from_other_conditions(tmp_path, form):
    assert differences(tmp_path, HEAD + GUARDS[form], select="RM012,RM061,RM081,RM083") == []


OPTIONS = {
    "production": """\
import { env } from "./env.js";
export const io = new Server(3000, {
  cors: { origin: env.isProduction ? true : env.clientOrigin }, // <- RM103
});
""",
    "development": """\
export const io = isDevelopment
  ? new Server(3000, { cors: { origin: "*" } })
  : new Server(3000, { cors: { origin: "https://app.example.com" } });
""",
    "parameter": """\
export function make(http, origin = "*") {
  return new Server(http, { cors: { origin } }); // <- RM103
}
""",
    "assigned-later": """\
export function make(http) {
  const options = {};
  options.cors = { origin: "*" }; // <- RM103
  return new Server(http, options);
}
""",
}


@pytest.mark.parametrize("form", OPTIONS)
def test_an_open_origin_is_found(tmp_path, form):
    text = 'import { Server } from "socket.io";\n' + OPTIONS[form]
    assert differences(tmp_path, text, name="server.ts", select="RM103") == []


TABLES = {
    "for-each": "Object.entries(events).forEach(([name, run]) => socket.on(name, run));",
    "wrapped": "Object.entries(events).forEach(([name, run]) => socket.on(name, (...args) => run(...args)));",
    "applied": "for (const [name, run] of Object.entries(events)) socket.on(name, (...all) => run.apply(null, all));",
    "keys": "Object.keys(events).forEach((name) => socket.on(name, events[name]));",
}
LISTS = {
    "pairs": 'for (const [name, run] of [["say", say]]) socket.on(name, run);',
    "records": 'for (const { event, run } of [{ event: "say", run: say }]) socket.on(event, run);',
}
SAY = 'function say(data) {\n  io.to(data.room).emit("said"); // <- RM083\n}\n'


@pytest.mark.parametrize("form", TABLES | LISTS)
def test_handlers_of_a_table_are_known(tmp_path, form):
    text = (
        f'{HEAD}{SAY}const events = {{ say }};\nio.on("connection", (socket) => {{\n  {(TABLES | LISTS)[form]}\n}});\n'
    )
    assert differences(tmp_path, text) == []


CLAIMS = {
    "with-a-secret": """\
io.on("connection", (socket) => {
  socket.on("accept", async ({ driverId, token }) => {
    const driver = await Driver.findOne({ id: driverId, accessToken: token });
    if (driver) socket.emit("accepted");
  });
});
""",
    "without": """\
io.on("connection", (socket) => {
  socket.on("accept", async ({ driverId, token }) => { // <- RM082
    await Order.updateOne({ driver: driverId }, { accepted: true });
    socket.emit("accepted", token);
  });
});
""",
    "unused": """\
io.on("connection", (socket) => {
  socket.on("accept", ({ driverId }) => socket.emit("accepted"));
});
""",
    "role-of-a-game": """\
io.on("connection", (socket) => {
  socket.on("add_role", ({ role }) => socket.emit("added", role));
});
""",
}


@pytest.mark.parametrize("form", CLAIMS)
def test_a_claim_is_told_from_a_proof(tmp_path, form):
    text = 'import { Server } from "socket.io";\nconst io = new Server(3000);\n' + CLAIMS[form]
    assert differences(tmp_path, text, select="RM082") == []


LOGINS = {
    "login": """\
io.on("connection", (socket) => {
  socket.on("auth:login", () => {
    socket.join(`user:${socket.data.user.id}`); // <- RM031
  });
});
""",
    "new-token": """\
io.on("connection", (socket) => {
  socket.on("auth:refresh", async ({ token }) => {
    const user = await verifyToken(token);
    if (user.id !== socket.data.user.id) return;
    socket.data.user = user;
    socket.join(`user:${user.id}`);
  });
});
""",
    "new-session": """\
io.on("connection", (socket) => {
  socket.on("auth", function renewSession() {
    socket.join(`user:${socket.data.user.id}`);
  });
});
""",
}


@pytest.mark.parametrize("form", LOGINS)
def test_a_login_is_told_from_a_new_token(tmp_path, form):
    assert differences(tmp_path, HEAD + LOGINS[form], select="RM031") == []
