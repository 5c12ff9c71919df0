"""Tests of which conditions silence RM081 and RM083."""

import re

import pytest

from .projects import differences, xfailing

HEAD = """\
import { Server } from "socket.io";
import * as rooms from "./rooms.js";
const io = new Server(3000);
io.use(async (socket, next) => {
  socket.data.user = await verifyToken(socket.handshake.auth.token);
  next();
});
"""
# `act` stands for the join or the emit
NODE = {
    "early-return": "if (!isMember(socket.data.user, data.room)) return;\nact",
    "users-list": "if (!socket.data.user.rooms.includes(data.room)) return;\nact",
    "users-set": "if (!socket.data.user.rooms.has(data.room)) return;\nact",
    "users-list-some": "if (!socket.data.user.rooms.some((room) => room.id === data.room)) return;\nact",
    "users-list-around": "if (socket.data.user.rooms.includes(data.room)) {\n  act\n}",
    "early-return-in-block": "if (!isMember(socket.data.user, data.room)) {\n  reply('forbidden');\n  return;\n}\nact",
    "thrown": "if (!isMember(socket.data.user, data.room)) throw new Error('forbidden');\nact",
    "around": "if (isMember(socket.data.user, data.room)) {\n  act\n}",
    "else": "if (!mayEnter(socket.data.user, data.room)) {\n  reply('forbidden');\n} else {\n  act\n}",
    "and": "isMember(socket.data.user, data.room) && act",
    "ternary": "const done = isMember(socket.data.user, data.room) ? act : null;",
    "role": "if (socket.data.user.role !== 'admin') return;\nact",
    "flag": "if (!socket.data.isAdmin) return;\nact",
    "flag-by-name": "const hasAccess = await rooms.ask(socket.id);\nif (!hasAccess) return;\nact",
    "awaited": "if (!(await rooms.mayJoin(socket.data.user.id, data.room))) return;\nact",
    "asserted": "await rooms.assertMember(socket.data.user.id, data.room);\nact",
    "looked-up": "const room = await rooms.findForUser(data.room, socket.data.user.id);\nif (!room) return;\nact",
    "looked-up-object": (
        "const room = await Room.findOne({ where: { id: data.room, userId: socket.data.user.id } });\n"
        "if (!room) return;\nact"
    ),
    "record-field": (
        "const room = await Room.findById(data.room);\nif (room.owner !== socket.data.user.id) return;\nact"
    ),
    "record-list": (
        "const room = await Room.findById(data.room);\nif (!room.people.includes(socket.data.user.id)) return;\nact"
    ),
    "record-some": (
        "const room = await Room.findById(data.room);\n"
        "if (!room.members.some((one) => one.id === socket.data.user.id)) return;\nact"
    ),
    "own-rooms": "if (!socket.rooms.has(data.room)) return;\nact",
    "named-condition": "const allowed = socket.data.user.teams.includes(data.room);\nif (!allowed) return;\nact",
    "named-neutrally": "const fine = data.room === socket.data.user.team;\nif (!fine) return;\nact",
    "compared": "if (data.room !== socket.data.user.team) return;\nact",
    "in-try": "try {\n  await rooms.checkMember(data.room, socket.data.user.id);\n  act\n} catch {\n  reply('no');\n}",
    "switch": "switch (socket.data.user.role) {\n  case 'admin':\n    act\n    break;\n}",
    "own-helper": "if (!mine(socket, data.room)) return;\nact",
    "own-refusal": "refuse(socket, data.room);\nact",
    "own-result": "const found = own(socket, data.room);\nif (!found) return;\nact",
    "organizer": "const game = games.get(data.room);\nif (!isOrganizer(game, socket.id)) return;\nact",
}
HELPERS = """\
function mine(socket, room) {
  return room === socket.data.user.team;
}
function refuse(socket, room) {
  if (room !== socket.data.user.team) throw new Error("forbidden");
}
function own(socket, room) {
  if (room !== socket.data.user.team) return null;
  return teams.get(room);
}
function release(socket, room) {
  for (const seat of seats.get(room)) {
    if (seat.takenBy === socket.data.user.id) {
      seat.takenBy = null;
      break;
    }
  }
}
function count(socket, room) {
  if (room !== socket.data.user.team) return;
  visits += 1;
}
"""
ACTS = {"RM081": "socket.join(data.room)", "RM083": 'io.to(data.room).emit("chat", data.text)'}


def node(body, rule, mark=""):
    """Return a server with one event that has this body."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    event = '  socket.on("say", async (data, reply) => {\n' + re.sub(r"\bact\b(.*)", rf"{ACTS[rule]}\1{mark}", lines)
    return f'{HEAD}{HELPERS}io.on("connection", (socket) => {{\n{event}  }});\n}});\n'


@pytest.mark.parametrize("rule", ACTS)
@pytest.mark.parametrize("form", NODE)
def test_a_check_before_it_silences_the_rule(tmp_path, form, rule):
    assert differences(tmp_path, node(NODE[form], rule), select="RM081,RM083") == []


# conditions that are about no right
NO_GUARDS = {
    "none": "act",
    "presence": "if (!data.room) return;\nact",
    "type": "if (typeof data.room !== 'string') return reply('invalid');\nact",
    "length": "if (data.room.length > 50) return;\nact",
    "logged": "console.log(socket.data.user.id, data.room);\nact",
    "error": "try {\n  act\n} catch (error) {\n  reply(error.message);\n}",
    "saved": "await Message.create({ room: data.room, author: socket.data.user.id });\nact",
    "after": "act\nif (!isMember(socket.data.user, data.room)) return;",
    "existence": "const room = await Room.findById(data.room);\nif (!room) return;\nact",
    "another-branch": "if (data.kind === 'ask') {\n  if (!isMember(socket.data.user, data.room)) reply('no');\n}\nact",
    "clients-word": "if (!data.isMember) return;\nact",
    "clients-role": "if (data.role !== 'admin') return;\nact",
    "parsed": "const wanted = Wanted.parse(data);\nif (!wanted) return;\nact",
    # the function ends, and its caller goes on
    "ends-its-loop": "release(socket, data.room);\nact",
    "ends-itself": "count(socket, data.room);\nact",
}


@pytest.mark.parametrize("rule", ACTS)
@pytest.mark.parametrize("form", NO_GUARDS)
def test_another_condition_does_not_silence_the_rule(tmp_path, form, rule):
    assert differences(tmp_path, node(NO_GUARDS[form], rule, f" // <- {rule}"), select="RM081,RM083") == []


CALLERS = """\
io.on("connection", (socket) => {
  socket.on("enter", async (data) => {
    if (!(await rooms.mayJoin(socket.data.user.id, data.room))) return;
    enter(socket, data.room);
  });%s
});
function enter(socket, room) {
  socket.join(room);%s
}
"""
UNCHECKED = '\n  socket.on("enter:again", (data) => enter(socket, data.room));'


@pytest.mark.parametrize(("other", "mark"), [("", ""), (UNCHECKED, " // <- RM081")], ids=["all", "one"])
def test_a_check_in_every_caller_silences_the_rule(tmp_path, other, mark):
    assert differences(tmp_path, HEAD + CALLERS % (other, mark), select="RM081,RM083") == []


PYTHON_HEAD = """\
import socketio
from .rooms import Room, is_member, member_required, rooms_of

sio = socketio.AsyncServer()


@sio.event
async def connect(sid, environ, auth):
    await sio.save_session(sid, {"user": verify_token(auth["token"])})


"""
USER = 'user = (await sio.get_session(sid))["user"]\n'
PYTHON = {
    "early-return": USER + 'if not is_member(user, data["room"]):\n    return {"error": "forbidden"}\nact',
    "users-list": USER + 'if data["room"] not in user.rooms:\n    return {"error": "forbidden"}\nact',
    "raised": USER + 'if not is_member(user, data["room"]):\n    raise PermissionError\nact',
    "around": USER + 'if is_member(user, data["room"]):\n    act',
    "role": USER + 'if user.role != "admin":\n    return\nact',
    "own-rooms": 'if data["room"] not in sio.rooms(sid):\n    return\nact',
    "own-rooms-by-name": 'mine = sio.rooms(sid)\nif data["room"] not in mine:\n    return\nact',
    "looked-up": USER
    + 'room = await Room.get_or_none(id=data["room"], owner=user.id)\nif room is None:\n    return\nact',
    "record-field": USER + 'room = await Room.get(id=data["room"])\nif user.id not in room.people:\n    return\nact',
    "named-condition": USER + 'fine = data["room"] == user.team\nif not fine:\n    return\nact',
    "listed": USER + 'if data["room"] not in await rooms_of(user.id):\n    return\nact',
    "asserted": USER + 'await Room.check_member(data["room"], user.id)\nact',
    "any": USER + 'if not any(room.id == data["room"] for room in user.rooms):\n    return\nact',
}
PYTHON_ACTS = {
    "RM081": 'await sio.enter_room(sid, data["room"])',
    "RM083": 'await sio.emit("chat", 1, to=data["room"])',
}
PYTHON_NO_GUARDS = {
    "none": "act",
    "presence": 'if not data.get("room"):\n    return\nact',
    "type": 'if not isinstance(data["room"], str):\n    return\nact',
    "session": USER + "act",
    "logged": USER + 'log.info("%s %s", user.id, data["room"])\nact',
    "existence": USER + 'room = await Room.get_or_none(id=data["room"])\nif room is None:\n    return\nact',
}
UNKNOWN_PYTHON = {
    "listed": "a list that a call gives for the verified user is not taken for a check",
}


def python(body, rule, mark="", decorator=""):
    """Return a Python server with one event."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    act = f"{PYTHON_ACTS[rule]}{mark}"
    return f"{PYTHON_HEAD}@sio.event\n{decorator}async def say(sid, data):\n{lines.replace('act', act)}"


@pytest.mark.parametrize("rule", PYTHON_ACTS)
@pytest.mark.parametrize("form", xfailing(PYTHON, UNKNOWN_PYTHON))
def test_a_check_in_python_silences_the_rule(tmp_path, form, rule):
    assert differences(tmp_path, python(PYTHON[form], rule), name="app.py", select="RM081,RM083") == []


@pytest.mark.parametrize("rule", PYTHON_ACTS)
@pytest.mark.parametrize("form", PYTHON_NO_GUARDS)
def test_another_condition_in_python_does_not_silence_it(tmp_path, form, rule):
    text = python(PYTHON_NO_GUARDS[form], rule, f"  # <- {rule}")
    assert differences(tmp_path, text, name="app.py", select="RM081,RM083") == []


@pytest.mark.parametrize("rule", PYTHON_ACTS)
def test_a_decorator_that_checks_silences_the_rule(tmp_path, rule):
    text = python("act", rule, decorator="@member_required\n")
    assert differences(tmp_path, text, name="app.py", select="RM081,RM083") == []


NEST = """\
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { UseGuards } from "@nestjs/common";
import { Socket } from "socket.io";
import { Rooms } from "./rooms";
import { RoomMemberGuard } from "./guards";

@WebSocketGateway()
export class ChatGateway {
  constructor(private readonly rooms: Rooms) {}

  %s@SubscribeMessage("enter")
  async enter(@ConnectedSocket() client: Socket, @MessageBody() data: Enter) {
    %s
    await client.join(data.room);%s
  }
}
"""
NEST_FORMS = {
    "guard": ("@UseGuards(RoomMemberGuard)\n  ", "", ""),
    "service": ("", "await this.rooms.assertMember(client.data.user.id, data.room);", ""),
    "condition": ("", "if (!(await this.rooms.isMember(data.room, client.data.user.id))) return;", ""),
    "own-rooms": ("", "if (!client.rooms.has(data.room)) return;", ""),
    "none": ("", "this.rooms.log(data.room);", " // <- RM081"),
    "form": ("@UsePipes(new ValidationPipe())\n  ", "", " // <- RM081"),
}


@pytest.mark.parametrize("form", NEST_FORMS)
def test_a_check_in_nest_silences_the_rule(tmp_path, form):
    assert differences(tmp_path, NEST % NEST_FORMS[form], name="chat.gateway.ts", select="RM081,RM083") == []


# the page and the server have a class with the same name
SAME_NAMES = """\
=== client/chat.service.ts
import { io } from "socket.io-client";

export class ChatService {
  private readonly socket = io("/");

  enter(room: string) {
    this.socket.emit("enter", room);
  }
}
=== server/app/chat.service.ts
import { Socket } from "socket.io";

export class ChatService {
  private readonly people = new Map<string, string>();

  enter(client: Socket, room: string) {
    if (!client.data.user.rooms.includes(room)) throw new Error("forbidden");
    this.people.set(client.data.user.id, client.id); // <- RM011
  }
}
=== server/app/chat.gateway.ts
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { Socket } from "socket.io";
import { ChatService } from "SOURCE";

@WebSocketGateway()
export class ChatGateway {
  constructor(private readonly chat: ChatService) {}

  @SubscribeMessage("enter")
  enter(@ConnectedSocket() client: Socket, @MessageBody() data: EnterDto) {
    this.chat.enter(client, data.room);
    client.join(data.room);
  }
}
"""


@pytest.mark.parametrize("source", ["./chat.service", "@app/chat.service"])
def test_a_class_is_the_one_that_its_file_imports(tmp_path, source):
    text = SAME_NAMES.replace("SOURCE", source)
    assert differences(tmp_path, text, select="RM011,RM013,RM081") == []
