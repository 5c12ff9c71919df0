"""Tests of which ids are kept, and of who joins a room."""

import pytest
from lab.check.result import Options
from lab.check.run import check

from .projects import differences, files_of, only_finding, write_files, xfailing

HEAD = 'import { Server } from "socket.io";\nconst io = new Server(3000);\n'
# loops over the sockets of the server
LOOPS = {
    "fetch": """\
async function tell(user) {
  for (const other of await io.fetchSockets()) {
    if (other.data.user.id === user) io.to(other.id).emit("note"); // <- RM021
  }
}
""",
    "for-each": """\
async function tell(user) {
  const sockets = await io.in("staff").fetchSockets();
  sockets.forEach((other) => {
    if (other.data.user.id === user) io.to(other.id).emit("note"); // <- RM021
  });
}
""",
    "kept-ids": """\
const people = {};
io.on("connection", (socket) => {
  const user = socket.data.user.id;
  if (!people[user]) people[user] = [];
  people[user].push(socket.id); // <- RM011
});
function tell(user) {
  people[user].forEach((line) => io.to(line).emit("note")); // <- RM021
}
""",
    "kept-set": """\
const people = new Map();
io.on("connection", (socket) => {
  const user = socket.data.user.id;
  const lines = people.get(user) ?? new Set();
  lines.add(socket.id); // <- RM011
  people.set(user, lines);
});
function tell(user) {
  for (const line of people.get(user) ?? []) {
    io.to(line).emit("note"); // <- RM021
  }
}
""",
    "named-ids": """\
async function tell(user) {
  const socketIds = await redis.hvals(`user:${user}`);
  socketIds.forEach((one) => io.to(one).emit("note")); // <- RM021
  for (const one of socketIds) io.to(one).emit("note"); // <- RM021
}
""",
    "got-ids": """\
async function tell(user) {
  const open = await findSocketIds(user);
  open.forEach((one) => io.to(one).emit("note")); // <- RM021
  const others = await getSocketIdsByUser(user);
  others.forEach((one) => io.to(one).emit("note")); // <- RM021
}
""",
    "other-ids": """\
async function tell(user) {
  const teams = await findTeams(user);
  teams.forEach((one) => io.to(one).emit("note"));
  for (const one of getRoomsBySocketId(user)) io.to(one).emit("note");
  roomsOfSid(user).forEach((one) => io.to(one).emit("note"));
  for (const one of activeClientIds) io.to(one).emit("note");
}
""",
    "keys": """\
const socketIds = new Map();
function tell() {
  socketIds.forEach((ids, room) => io.to(room).emit("note", ids.size));
}
""",
    "global": """\
global.people = new Map();
io.on("connection", (socket) => {
  people.set(socket.data.user.id, socket.id); // <- RM011
});
function tell(user) {
  const line = people.get(user);
  io.to(line).emit("note"); // <- RM021
}
""",
    "json": """\
io.on("connection", async (socket) => {
  const entry = JSON.stringify({
    line: socket.id, // <- RM011
  });
  await redis.hSet("people", socket.data.user.id, entry);
});
""",
    "inner-keys": """\
const games = {};
io.on("connection", (socket) => {
  games[socket.data.game].players[socket.id] = 1; // <- RM012
});
function tell(game) {
  for (const name in games) io.to(name).emit("note");
  for (const line in games[game].players) io.to(line).emit("note"); // <- RM021
  const one = games[game];
  for (const line in one.players) io.to(line).emit("note"); // <- RM021
}
""",
    "plain-field": """\
io.on("connection", async (socket) => {
  await Users.updateOne({ _id: socket.data.user.id }, { $set: { line: socket.id } }); // <- RM013
});
async function tell(name) {
  const user = await Users.findOne({ name });
  io.to(user.line).emit("note"); // <- RM021
  io.to(user.team).emit("note");
  const other = makeUser(name);
  io.to(other.line).emit("note");
}
""",
    "waiting-set": """\
class Lobby {
  playersInQueue = new Set();
  enter(socket) {
    this.playersInQueue.add({
      socketId: socket.id, // <- RM011
    });
    this.playersInQueue.forEach((one) => one);
  }
}
const lobby = new Lobby();
io.on("connection", (socket) => socket.on("enter", () => lobby.enter(socket)));
""",
    "wrapper": """\
class Store {
  hset(key, field, value) {
    return this.client.hset(key, field, value);
  }
}
const redis = new Store();
io.on("connection", (socket) => redis.hset("people", socket.data.user.id, socket.id)); // <- RM011
""",
    "kept-records": """\
const people = [];
io.on("connection", (socket) => {
  people.push({ user: socket.data.user.id, line: socket.id }); // <- RM011
});
function tell(user) {
  const found = people.find((one) => one.user === user);
  if (found) io.to(found.line).emit("note"); // <- RM021
}
""",
}


# ids of sockets that are connected now
NOW = {
    "adapter": 'io.sockets.adapter.rooms.get("lobby")?.forEach((socketId) => io.to(socketId).emit("note"));',
    "adapter-for": 'for (const socketId of io.sockets.adapter.rooms.get("lobby")) io.to(socketId).emit("note");',
    "mapped": "const ids = (await io.fetchSockets()).map((one) => one.id);\n"
    '  ids.forEach((socketId) => io.to(socketId).emit("note"));',
}


@pytest.mark.parametrize("form", NOW)
def test_a_loop_over_connected_sockets_is_a_warning(tmp_path, form):
    finding = only_finding(tmp_path, f"{HEAD}async function tell() {{\n  {NOW[form]}\n}}\n", "RM021", "server.js")
    assert (finding.level, finding.message) == (
        "warning",
        "this loop emits to each socket: one emit to a room does the same",
    )


def test_the_first_of_the_sockets_is_no_look_up(tmp_path):
    text = """\
async function tell() {
  const sockets = await io.fetchSockets();
  sockets[0].emit("note");
  const admins = sockets.filter((one) => one.data.admin);
  admins[0].emit("note");
  const kept = 4;
  sockets[people[kept]].emit("note"); // <- RM022
}
"""
    assert differences(tmp_path, HEAD + text) == []


@pytest.mark.parametrize("form", ["room_sids = {}", "room_sids = defaultdict(list)"])
def test_a_loop_over_a_dict_gives_its_keys(tmp_path, form):
    text = f"""\
import socketio

sio = socketio.AsyncServer()
{form}

def count(room, name):
    room_sids[room] = name

async def tell():
    for room in room_sids:
        await sio.emit("note", to=room)
"""
    assert differences(tmp_path, text, name="app.py") == []


@pytest.mark.parametrize("form", LOOPS)
def test_an_id_from_a_loop_is_known(tmp_path, form):
    assert differences(tmp_path, HEAD + LOOPS[form]) == []


# a socket that the code has just found among all sockets is connected
FRESH = {
    "entries": "for (const [, other] of io.sockets.sockets) if (other.data.user === user) return other;",
    "values": "for (const other of io.sockets.sockets.values()) if (other.data.user === user) return other;",
    "fetched": "return (await io.fetchSockets()).find((other) => other.data.user === user);",
}


@pytest.mark.parametrize("form", FRESH)
def test_a_socket_that_was_just_found_is_no_kept_one(tmp_path, form):
    text = f"""\
import type {{ Socket }} from "socket.io";
async function find(user: string): Promise<Socket | undefined> {{
  {FRESH[form]}
}}
const findNow = (user: string): Socket => find(user);
async function tell(user: string) {{
  const found = await find(user);
  found?.emit("note");
  findNow(user).emit("note");
}}
"""
    assert differences(tmp_path, HEAD + text, name="server.ts") == []


# what belongs to one connection, in each form
OWN_NODE = {
    "variable": """\
io.on("connection", (socket) => {
  const seen = new Map();
  const mine = {};
  socket.on("see", (id) => {
    seen.set(id, socket.id);
    mine[socket.id] = id;
  });
  socket.on("disconnect", () => {
    seen.delete("all");
    delete mine[socket.id];
  });
});
""",
    "in-a-helper": """\
io.on("connection", (socket) => addLog(socket));
function addLog(socket) {
  const seen = new Map();
  socket.on("see", (id) => seen.set(id, socket.id));
  socket.on("disconnect", () => seen.clear());
}
""",
    "socket-data": """\
io.on("connection", (socket) => {
  socket.data.seen = new Set();
  socket.data.self = socket.id;
  socket.on("see", (id) => socket.data.seen.add(id));
  socket.on("disconnect", () => socket.data.seen.delete("all"));
});
""",
    "local": """\
io.on("connection", (socket) => {
  socket.on("see", (id, reply) => {
    const answer = {};
    answer[socket.id] = id;
    const list = [];
    list.push(socket.id);
    reply(answer, list);
  });
});
""",
    "own-object": """\
class Session {
  constructor(socket) {
    this.socket = socket;
    this.seen = new Map();
    socket.on("see", (id) => this.see(id));
    socket.on("disconnect", () => this.end());
  }
  see(id) {
    this.seen.set(id, this.socket.id);
  }
  end() {
    this.seen.clear();
  }
}
io.on("connection", (socket) => {
  new Session(socket);
});
""",
}
UNKNOWN_NODE = {"own-object": "a field of an object that is made for each connection counts as lasting state"}
OWN_PYTHON = {
    "session": """\
@sio.event
async def connect(sid, environ, auth):
    user = verify_token(auth["token"])
    await sio.save_session(sid, {"user": user, "sid": sid})
""",
    "session-block": """\
@sio.event
async def see(sid, data):
    async with sio.session(sid) as session:
        session["seen"] = data
        session["sid"] = sid
""",
    "local": """\
@sio.event
async def see(sid, data):
    answer = {}
    answer["you"] = sid
    answer[sid] = 1
    return answer
""",
    "logged": """\
@sio.event
async def see(sid, data):
    log.info("seen", extra={"sid": sid})
    print(sid, data)
    await sio.emit("seen", {"by": sid}, skip_sid=sid)
""",
}


@pytest.mark.parametrize("form", xfailing(OWN_NODE, UNKNOWN_NODE))
def test_state_of_one_connection_is_no_finding_in_node(tmp_path, form):
    assert differences(tmp_path, HEAD + OWN_NODE[form], select="01,RM051") == []


@pytest.mark.parametrize("form", OWN_PYTHON)
def test_state_of_one_connection_is_no_finding_in_python(tmp_path, form):
    head = "import socketio\n\nsio = socketio.AsyncServer()\n"
    assert differences(tmp_path, head + OWN_PYTHON[form], name="app.py", select="01,RM051") == []


ROOMS = """\
=== server.js
import { Server } from "socket.io";
import { mayJoin } from "./rights.js";
export const io = new Server(3000);
io.on("connection", (socket) => {
  socket.on("subscribe", async (room) => {
    if (await mayJoin(socket.data.user, room)) %s
  });
});
=== orders.js
import { io } from "./server.js";
export function accepted(order) {
  io.to(`order:${order.id}`).emit("order:accepted"); // <- RM033
}
"""


@pytest.mark.parametrize(
    ("join", "level"), [("socket.join(room);", "question"), ("socket.join(`orders:${room}`);", "error")]
)
def test_a_client_named_join_makes_a_missing_join_a_question(tmp_path, join, level):
    write_files(tmp_path, files_of(ROOMS % join))
    assert [finding.level for finding in check([tmp_path], Options(select="RM033")).findings] == [level]


def test_an_id_that_a_caller_passes_has_the_place_of_the_caller(tmp_path):
    text = """\
=== server.js
import { Server } from "socket.io";
import users from "./users.js";
const io = new Server(3000);
io.on("connection", (socket) => {
  users.setPresence(socket.data.user.id, {
    online: true,
    socketId: socket.id, // <- RM013
  });
});
=== users.js
class Users {
  // a comment about sockets

  async setPresence(id, data) {
    await User.findByIdAndUpdate(id, data);
  }
}
export default new Users();
"""
    assert differences(tmp_path, text, select="RM013") == []


@pytest.mark.parametrize(
    "loop", ["const [room, users] of Object.entries(rooms)", "const users of Object.values(rooms)"]
)
def test_a_removal_in_a_loop_over_entries_is_found(tmp_path, loop):
    text = f"""\
const rooms = {{}};
io.on("connection", (socket) => {{
  const {{ user }} = socket.data;
  socket.on("disconnect", () => {{
    for ({loop}) {{
      users.delete(user.id); // <- RM051
    }}
  }});
}});
"""
    assert differences(tmp_path, HEAD + text) == []


PAGES = {
    "declared": 'import type { Socket } from "socket.io-client";\nexport function useChat(socket: Socket | null) {',
    "returned": 'import { io, Socket } from "socket.io-client";\n'
    "export const getSocket = (): Socket | null => null;\nexport function useChat() {\n  const socket = getSocket();",
}


@pytest.mark.parametrize("form", PAGES)
def test_a_socket_of_a_page_is_none_of_the_server(tmp_path, form):
    page = f"""\
{PAGES[form]}
  socket?.on("message", (data) => show(data.userId, data.sender));
  socket?.emit("read", 1);
  return socket;
}}
"""
    write_files(tmp_path, {"page.ts": page, "server.ts": HEAD})
    assert check([tmp_path], Options(ignore="10")).findings == []


def test_the_own_id_of_a_page_is_no_id_of_the_server(tmp_path):
    service = """\
import { Socket, io } from "socket.io-client";

export class WebSocketService {
  instance: Socket;

  constructor() {
    this.instance = io("/");
  }

  ownId() {
    return this.instance.id;
  }
}
"""
    page = """\
import { WebSocketService } from "./service";

export class Page {
  constructor(private readonly web: WebSocketService, private readonly players: Player[]) {}

  start() {
    this.web.instance.on("started", () => this.players.push({ socketId: this.web.ownId() }));
  }
}
"""
    write_files(tmp_path, {"service.ts": service, "page.ts": page, "server.ts": HEAD})
    assert check([tmp_path], Options(ignore="10")).findings == []


REPOSITORY = """\
=== sessions.ts
export class SessionRepository {
  private readonly sessions = new Map();

  updatePlayer(session: string, player: string, part: object) {
    Object.assign(this.sessions.get(session).players[player], part);
  }
}
=== game.gateway.ts
import { ConnectedSocket, SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { Socket } from "socket.io";
import { SessionRepository } from "./sessions";

@WebSocketGateway()
export class GameGateway {
  constructor(private readonly sessionRepository: SessionRepository) {}

  @SubscribeMessage("ready")
  ready(@ConnectedSocket() client: Socket) {
    this.sessionRepository.updatePlayer(client.data.session, client.id, { ready: true });
  }
}
"""


def test_a_repository_of_the_project_is_no_database_by_its_name(tmp_path):
    assert differences(tmp_path, REPOSITORY, select="RM013") == []


def test_the_room_of_a_connection_is_checked_at_its_join(tmp_path):
    text = """\
io.on("connection", (socket) => {
  let current = null;
  let other = null;
  socket.on("join", (room) => {
    current = room;
    socket.join(room); // <- RM081
  });
  socket.on("say", (data) => {
    other = data.room;
    io.to(current).emit("said", data.text);
    io.to(other).emit("said", data.text); // <- RM083
  });
});
"""
    assert differences(tmp_path, HEAD + text) == []


def test_a_room_in_a_field_of_the_socket_is_checked_at_its_join(tmp_path):
    text = """\
io.on("connection", (socket) => {
  socket.on("join", async (wanted) => {
    if (!(await isMember(wanted, socket.data.user))) return;
    await socket.join(wanted);
    socket.currentRoom = wanted;
    socket.otherRoom = pick(wanted);
  });
  socket.on("say", (data) => {
    const room = socket.currentRoom;
    io.to(room).emit("said", data.text);
    socket.thirdRoom = data.third;
    io.to(socket.thirdRoom).emit("said", data.text); // <- RM083
  });
});
"""
    assert differences(tmp_path, HEAD + text, select="RM083") == []


# how the room of a connection is named at its join, in its field, and at the emit
NAMED = {
    "id": ("`chat_${wanted}`", "wanted", "`chat_${socket.current}`"),
    "parsed-id": ("`chat_${id}`", "id", "`chat_${socket.current}`"),
    "name": ("`chat_${wanted}`", "`chat_${wanted}`", "socket.current"),
    "variable": ("name", "name", "socket.current"),
    "variable-and-id": ("name", "wanted", "`chat_${socket.current}`"),
    "added": ("'chat_' + wanted", "wanted", "'chat_' + socket.current"),
}
OTHERS = {
    "another-form": ("`chat_${wanted}`", "wanted", "`team_${socket.current}`"),
    "another-id": ("`chat_${wanted}`", "other", "`chat_${socket.current}`"),
    "no-field": ("`chat_${wanted}`", "wanted", "`chat_${data.room}`"),
    "whole": ("`chat_${wanted}`", "wanted", "socket.current"),
}


@pytest.mark.parametrize("form", [*NAMED, *OTHERS])
def test_the_name_of_a_joined_room_is_followed(tmp_path, form):
    joined, kept, sent = (NAMED | OTHERS)[form]
    text = f"""\
io.on("connection", (socket) => {{
  socket.on("join", async ({{ wanted, other }}) => {{
    const id = Number(wanted);
    const name = `chat_${{wanted}}`;
    await socket.join({joined});
    socket.current = {kept};
  }});
  socket.on("say", (data) => {{
    io.to({sent}).emit("said", data.text);{" // <- RM083" if form in OTHERS else ""}
  }});
}});
"""
    assert differences(tmp_path, HEAD + text, select="RM083") == []


CALLS = {"call:invite": False, "webrtc:offer": False, "call-ended": True, "call:media_state": True, "said": True}


@pytest.mark.parametrize("event", CALLS)
def test_only_an_invitation_may_go_to_any_room(tmp_path, event):
    text = f"""\
io.on("connection", (socket) => {{
  socket.on("send", (data) => io.to(data.to).emit("{event}", data.text));
}});
"""
    (tmp_path / "server.js").write_text(HEAD + text)
    assert bool(check([tmp_path], Options(select="RM083")).findings) == CALLS[event]


@pytest.mark.parametrize("field", ["callerId", "callerName", "typingUserId", "senderId"])
def test_a_field_that_says_who_sends_is_a_claim(tmp_path, field):
    text = f"""\
io.on("connection", (socket) => {{
  socket.on("say", (data) => {{
    io.to("all").emit("said", data.{field}); // <- RM082
    io.to("all").emit("said", data.calleeId);
  }});
}});
"""
    assert differences(tmp_path, HEAD + text, select="RM082") == []


def test_who_receives_an_emit_is_no_claim(tmp_path):
    text = """\
io.on("connection", (socket) => {
  socket.on("wave", (data) => {
    io.to(rooms[data.userId]).emit("waved", 1);
  });
  socket.on("say", (data) => {
    io.to("all").emit("said", data.userId); // <- RM082
  });
});
"""
    assert differences(tmp_path, HEAD + text, select="RM082") == []


def test_an_emit_of_an_injected_gateway_is_found(tmp_path):
    text = """\
=== main.gateway.ts
import { WebSocketGateway, WebSocketServer } from "@nestjs/websockets";
import { Server } from "socket.io";
@WebSocketGateway()
export class MainGateway {
  @WebSocketServer() server: Server;
}
=== orders.service.ts
import { MainGateway } from "./main.gateway";
export class OrdersService {
  constructor(private readonly gateway: MainGateway, private readonly users: UsersService) {}
  // not for the sockets of one room
  accept(password: string) {
    this.gateway.server.emit("order:accepted", 1); // <- RM061
    this.gateway.server.to("orders").emit("order:accepted", 1);
    this.users.emit("order:accepted", login(password));
  }
}
=== room.gateway.ts
import { SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { Socket } from "socket.io";
@WebSocketGateway()
export class RoomGateway {
  handleConnection(client: Socket) {
    client.join("orders");
  }
}
"""
    assert differences(tmp_path, text, select="RM061") == []
