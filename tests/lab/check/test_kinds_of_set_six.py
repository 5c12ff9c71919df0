"""Tests on kinds of code from the sixth blind set."""

import pytest
from lab.check.result import Options
from lab.check.run import check

from .projects import differences

NODE = """\
import { Server } from "socket.io";
import { verifyToken } from "./auth.js";
const io = new Server(3000);
io.use(async (socket, next) => {
  socket.data.user = await verifyToken(socket.handshake.auth.token);
  next();
});
"""
IDS = {
    "waiting-players": """\
const pendingPlayers = new Map();
const playerQueue = [];
io.on("connection", (socket) => {
  socket.on("wait", (data) => pendingPlayers.set(socket.id, data.name)); // <- RM012
  socket.on("queue", (data) => {
    playerQueue.push({ socketId: socket.id, name: data.name }); // <- RM011
  });
});
""",
    "id-in-a-parameter": """\
function tell(player2SocketId) {
  io.to(player2SocketId).emit("turn"); // <- RM021
}
async function turn(gameId) {
  const game = await load(gameId);
  tell(game.second.socketId);
}
""",
    "id-in-a-variable": """\
async function tell(gameId) {
  const game = await load(gameId);
  const other = game.second.socketId;
  io.to(other).emit("turn"); // <- RM021
}
""",
    "told-and-closed": """\
async function remove(name) {
  const entry = await load(name);
  io.to(entry.socketId).emit("removed");
  io.in(entry.socketId).disconnectSockets();
}
""",
    "made-of-fetched": """\
async function inRoom(room) {
  const found = await io.in(room).fetchSockets();
  return found.map((one) => ({ socketId: one.id, user: one.data.user }));
}
async function elect(room) {
  for (const one of await inRoom(room)) {
    if (await wants(one.user)) io.to(one.socketId).emit("elected");
  }
}
""",
    "closed-after-a-look-up": """\
function signOut(socketId) {
  const found = io.sockets.sockets.get(socketId);
  found.emit("signed-out");
  found.disconnect();
}
""",
    "loop-in-a-loop": """\
const groups = new Map();
io.on("connection", (socket) => groups.set(socket.data.user.id, [socket.id])); // <- RM011
function clients() {
  io.sockets.adapter.rooms.forEach((ids) => ids.forEach((id) => io.sockets.sockets.get(id)?.emit("ping")));
  groups.forEach((ids) => ids.forEach((id) => io.sockets.sockets.get(id)?.emit("ping"))); // <- RM022
}
""",
    "collection-of-a-helper": """\
const rooms = new Map();
function leave(room, id) {
  room.people.delete(id); // <- RM051
}
io.on("connection", (socket) => {
  socket.on("disconnect", () => {
    leave(rooms.get(socket.data.room), socket.id);
  });
});
""",
    "state-of-a-call": """\
io.on("connection", (socket) => {
  socket.on("webrtc-error", ({ room, targetSocketId }) => {
    io.to(targetSocketId).emit("peer-lost");
    io.to(room).emit("peer-lost"); // <- RM083
  });
});
""",
    "client-of-another-server": """\
import { Socket as Remote } from "socket.io-client";
class Agents {
  private agents: Record<string, Remote> = {};
  tell(name: string) {
    const agent = this.agents[name];
    agent.emit("note");
  }
}
""",
}


@pytest.mark.parametrize("form", IDS)
def test_kept_ids_and_fresh_ids_are_told_apart(tmp_path, form):
    assert differences(tmp_path, NODE + IDS[form], name="server.ts") == []


GUARDS = {
    "not-yet-in-a-list": """\
    const message = await find(data.message);
    if (!message.seenBy.includes(socket.data.user.id)) {
      io.to(data.room).emit("seen"); // <- RM083
    }
""",
    "already-in-a-list": """\
    const message = await find(data.message);
    if (message.seenBy.includes(socket.data.user.id)) return;
    io.to(data.room).emit("seen"); // <- RM083
""",
    "in-a-list": """\
    const table = await find(data.room);
    if (!table.seats.includes(socket.data.user.id)) return;
    io.to(data.room).emit("moved");
""",
    "compared-with-a-claim": """\
    const table = await find(data.room);
    if (table.turn === data.player) io.to(data.room).emit("moved"); // <- RM083
""",
    "compared-with-a-code": """\
    const table = await find(data.room);
    if (table.code !== data.code) return;
    io.to(data.room).emit("moved");
""",
    "kind-of-a-record": """\
    const table = await Tables.findById(data.room).populate("seats");
    if (table.kind === "closed") return;
    io.to(data.room).emit("moved");
""",
    "end-of-a-loop": """\
    for (const seat of tables.get(data.room)) {
      if (seat.id === socket.id) {
        seat.ready = true;
        break;
      }
    }
    io.to(data.room).emit("ready"); // <- RM083
""",
    "flag-of-a-loop": """\
    let seated = false;
    for (const seat of tables.get(data.room)) {
      if (seat.id === socket.id) {
        seated = true;
        break;
      }
    }
    if (!seated) return;
    io.to(data.room).emit("ready");
""",
    "room-made-here": """\
    const table = makeTable({ code: newCode(), title: data.title });
    socket.join(table.code);
""",
    "room-named-by-the-client": """\
    const table = makeTable({ code: data.code, title: data.title });
    socket.join(table.code); // <- RM081
""",
}
EVENT = """\
import { find, newCode, tables, Tables } from "./tables.js";
const makeTable = ({ code, title }) => { return { code, title }; };
io.on("connection", (socket) => {
  socket.on("act", async (data) => {
"""


@pytest.mark.parametrize("form", GUARDS)
def test_a_check_is_told_from_its_opposite(tmp_path, form):
    assert differences(tmp_path, NODE + EVENT + GUARDS[form] + "  });\n});\n", select="RM081,RM083") == []


FLASK = """\
from flask import Flask, current_app, request
from flask_socketio import SocketIO, emit

from .settings import Settings

socketio = SocketIO(Flask(__name__), cors_allowed_origins=Settings.ORIGINS)
tables = {}
"""
PYTHON = {
    "state-of-the-app": """\
@socketio.on("hello")
def hello(name):
    current_app.people[name] = {"sid": request.sid}  # <- RM011
""",
    "entry-or-nothing": """\
@socketio.on("again")
def again(name):
    table = tables["first"]
    seat = None
    for one in table["seats"]:
        if one["name"] == name:
            seat = one
    if seat:
        seat["socket_id"] = request.sid  # <- RM011
""",
    "key-and-value": """\
@socketio.on("done")
def done():
    tables["first"]["done"].append(request.sid)  # <- RM011


@socketio.on("disconnect")
def disconnect():
    for code, table in tables.items():
        rest = [seat for seat in table["seats"] if seat["sid"] != request.sid]
        table["seats"] = rest  # <- RM051
        socketio.emit("left", len(rest), to=code)
""",
}


@pytest.mark.parametrize("form", PYTHON)
def test_state_of_flask_is_followed(tmp_path, form):
    assert differences(tmp_path, FLASK + PYTHON[form], name="server.py") == []


SETTINGS = """\
=== settings.py
class Settings:
    ORIGINS = "*"
=== server.py
import socketio

from .settings import Settings

sio = socketio.AsyncServer(cors_allowed_origins=Settings.ORIGINS)  # <- RM103
"""


def test_an_origin_in_a_class_of_settings_is_found(tmp_path):
    assert differences(tmp_path, SETTINGS, select="RM103") == []


LEVELS = {
    "one-group": (
        NODE + 'io.on("connection", (socket) => socket.on("open", ({ port }) => socket.join(port)));\n',
        "RM081",
        "question",
    ),
    "people": (
        NODE + 'io.on("connection", (socket) => socket.on("say", ({ room, user }) => {\n'
        "  socket.join(room);\n  io.to(room).emit('said', user.id);\n}));\n",
        "RM081",
        "error",
    ),
    "fallback": (
        'import { Server } from "socket.io";\nnew Server(1, { cors: { origin: process.env.ORIGIN || "*" } });\n',
        "RM103",
        "warning",
    ),
    "fixed": (
        'import { Server } from "socket.io";\nnew Server(1, { cors: { origin: "*" } });\n',
        "RM103",
        "error",
    ),
    "flags": (
        NODE + "const synced = new Set();\n"
        'io.on("connection", (socket) => {\n  synced.add(socket.id);\n'
        '  socket.on("ask", (data, reply) => reply(synced.has(socket.id)));\n});\n',
        "RM011",
        "warning",
    ),
}


@pytest.mark.parametrize("form", LEVELS)
def test_the_level_follows_the_evidence(tmp_path, form):
    text, rule, level = LEVELS[form]
    (tmp_path / "server.js").write_text(text, "utf-8")
    found = check([tmp_path], Options(select=rule)).findings
    assert [(finding.rule, finding.level) for finding in found] == [(rule, level)]
