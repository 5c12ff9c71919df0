"""Tests that handlers and what clients send are known in Python."""

import pytest

from .projects import differences

HEAD = "import socketio\n\nsio = socketio.AsyncServer()\n"
HANDLERS = {
    "event": """\
@sio.event
async def say(sid, data):
    await sio.emit("chat", 1, to=data["room"])  # <- RM083
""",
    "event-called": """\
@sio.event(namespace="/chat")
async def say(sid, data):
    await sio.emit("chat", 1, room=data.get("room"))  # <- RM083
""",
    "on": """\
@sio.on("chat:say")
async def whatever(sid, data):
    await sio.emit("chat", 1, to=data["room"])  # <- RM083
""",
    "on-with-function": """\
async def say(sid, data):
    await sio.emit("chat", 1, to=data["room"])  # <- RM083


sio.on("say", say)
""",
    "on-with-keyword": """\
async def say(sid, data):
    await sio.emit("chat", 1, to=data["room"])  # <- RM083


sio.on("say", handler=say)
""",
    "registered-in-a-function": """\
def register(server: socketio.AsyncServer):
    @server.event
    async def say(sid, data):
        await server.emit("chat", 1, to=data["room"])  # <- RM083


register(sio)
""",
    "decorated": """\
@sio.event
@with_metrics
async def say(sid, data):
    await sio.emit("chat", 1, to=data["room"])  # <- RM083
""",
    "any": """\
@sio.on("*")
async def anything(event, sid, data):
    await sio.emit("chat", 1, to=data["room"])  # <- RM083
""",
    "namespace": """\
class Chat(socketio.AsyncNamespace):
    async def on_say(self, sid, data):
        await self.emit("chat", 1, to=data["room"])  # <- RM083

    async def on_enter(self, sid, data):
        await self.enter_room(sid, data["room"])  # <- RM081


sio.register_namespace(Chat("/chat"))
""",
    "two-arguments": """\
@sio.event
async def say(sid, room, text):
    await sio.emit("chat", text, to=room)  # <- RM083
""",
    "unpacked": """\
@sio.event
async def say(sid, data):
    room, text = data["room"], data["text"]
    await sio.emit("chat", text, to=room)  # <- RM083
""",
    "formatted": """\
@sio.event
async def enter(sid, data):
    await sio.enter_room(sid, f"chat:{data['id']}")  # <- RM081
""",
    "walrus": """\
@sio.event
async def enter(sid, data):
    if room := data.get("room"):
        await sio.enter_room(sid, room)  # <- RM081
""",
    "matched": """\
@sio.event
async def enter(sid, data):
    match data:
        case {"room": room}:
            await sio.enter_room(sid, room)  # <- RM081
""",
    "model": """\
@sio.event
async def enter(sid, data):
    wanted = Enter.model_validate(data)
    await sio.enter_room(sid, wanted.room)  # <- RM081
""",
    "list": """\
@sio.event
async def enter(sid, data):
    for room in data["rooms"]:
        await sio.enter_room(sid, room)  # <- RM081
""",
    "gathered": """\
@sio.event
async def enter(sid, data):
    await asyncio.gather(*(sio.enter_room(sid, room) for room in data["rooms"]))  # <- RM081
""",
    "helper": """\
@sio.event
async def say(sid, data):
    await deliver(data["room"], data["text"])


async def deliver(room, text):
    await sio.emit("chat", text, to=room)  # <- RM083
""",
    "helper-by-keyword": """\
@sio.event
async def say(sid, data):
    await deliver(text=data["text"], room=data["room"])


async def deliver(*, room, text):
    await sio.emit("chat", text, to=room)  # <- RM083
""",
    "keyword-unpacked": """\
@sio.event
async def say(sid, data):
    await deliver(**data)


async def deliver(room, text):
    await sio.emit("chat", text, to=room)  # <- RM083
""",
}


@pytest.mark.parametrize("form", HANDLERS)
def test_a_python_handler_and_its_payload_are_known(tmp_path, form):
    assert differences(tmp_path, HEAD + HANDLERS[form], name="app.py") == []


FLASK_HEAD = """\
from flask import Flask, request
from flask_login import current_user
from flask_socketio import SocketIO, emit, join_room, send

socketio = SocketIO(Flask(__name__))
people = {}
"""
FLASK = {
    "event": """\
@socketio.on("say")
def say(data):
    emit("chat", data["text"], to=data["room"])  # <- RM083
""",
    "event-name": """\
@socketio.event
def enter(data):
    join_room(data["room"])  # <- RM081
""",
    "on-event": """\
def enter(data):
    join_room(data["room"])  # <- RM081


socketio.on_event("enter", enter)
""",
    "id": """\
@socketio.on("connect")
def connect():
    people[current_user.id] = request.sid  # <- RM011
""",
    "id-in-a-helper": """\
def sid_of_request():
    return request.sid


@socketio.on("connect")
def connect():
    people[current_user.id] = sid_of_request()  # <- RM011
""",
    "id-in-a-variable": """\
@socketio.on("connect")
def connect():
    line = request.sid
    people[current_user.id] = line  # <- RM011
""",
    "send": """\
@socketio.on("message")
def message(data):
    send(data["text"], to=data["room"])  # <- RM083
""",
    "namespace": """\
from flask_socketio import Namespace


class Chat(Namespace):
    def on_enter(self, data):
        join_room(data["room"])  # <- RM081


socketio.on_namespace(Chat("/chat"))
""",
}


@pytest.mark.parametrize("form", FLASK)
def test_a_flask_handler_and_its_payload_are_known(tmp_path, form):
    assert differences(tmp_path, FLASK_HEAD + FLASK[form], name="app.py") == []


# an id that is no socket's, although its name is that of one
NO_SOCKET_ID = {
    "http-session": """\
from flask import Flask, request, session

app = Flask(__name__)
sessions = {}


@app.post("/login")
def login():
    sid = request.cookies["sid"]
    sessions[session["user_id"]] = sid
    return "", 204
""",
    "server-id": """\
servers = {}


def register_server(sid, address):
    servers[address] = sid
""",
    "twilio": """\
calls = {}


def on_call_status(call):
    calls[call.to] = call.sid
""",
    "http-session-next-to-sockets": """\
import socketio

sio = socketio.AsyncServer()
sessions = {}


async def login(request):
    sid = request.cookies.get("sid")
    sessions[request.user.id] = sid
    sessions[sid] = request.user


@sio.event
async def connect(sid, environ, auth):
    user = verify_token(auth["token"])
    await sio.enter_room(sid, f"user:{user.id}")
""",
}


@pytest.mark.parametrize("form", NO_SOCKET_ID)
def test_a_sid_that_is_no_socket_id_is_no_finding(tmp_path, form):
    assert differences(tmp_path, NO_SOCKET_ID[form], name="app.py") == []
