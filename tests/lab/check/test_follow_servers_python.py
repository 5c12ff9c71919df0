"""Tests that a server is known wherever a Python project hides it."""

import pytest

from .projects import differences

PYTHON = """\
=== shop/__init__.py
=== shop/people.py
people = {}
=== shop/realtime.py
%(made)s
=== shop/handlers.py
from .people import people
%(registered)s
=== shop/jobs/__init__.py
=== shop/jobs/notify.py
%(imported)s
async def notify(user, text):
    await %(server)s.emit("note", text, to=people[user])  # <- RM021
"""
MADE = "import socketio\n\nhub = socketio.AsyncServer()\n"
EVENT = """\
from .realtime import hub


@hub.event
async def connect(sid, environ, auth):
    user = verify_token(auth["token"])
    people[user.id] = sid  # <- RM011
"""
# id -> file that makes the server, registration, imports, expression
FORMS = {
    "relative": (MADE, EVENT, "from ..people import people\nfrom ..realtime import hub", "hub"),
    "absolute": (MADE, EVENT, "from shop.people import people\nfrom shop.realtime import hub", "hub"),
    "renamed": (MADE, EVENT, "from ..people import people\nfrom ..realtime import hub as lines", "lines"),
    "module": (MADE, EVENT, "from .. import realtime\nfrom ..people import people", "realtime.hub"),
    "module-absolute": (MADE, EVENT, "from shop import realtime\nfrom shop.people import people", "realtime.hub"),
    "module-renamed": (MADE, EVENT, "import shop.realtime as wires\nfrom shop.people import people", "wires.hub"),
    "getter": (
        "import socketio\n\n_hub = None\n\n\ndef start():\n    global _hub\n    _hub = socketio.AsyncServer()\n"
        "    return _hub\n\n\ndef the_hub():\n    return _hub\n",
        EVENT.replace("import hub", "import start").replace("@hub", "hub = start()\n\n\n@hub"),
        "from ..people import people\nfrom ..realtime import the_hub",
        "the_hub()",
    ),
    "get-sio": (
        "import socketio\n\n_hub = socketio.AsyncServer()\n\n\ndef get_sio():\n    return _hub\n",
        EVENT.replace("import hub", "import get_sio").replace("@hub", "hub = get_sio()\n\n\n@hub"),
        "from ..people import people\nfrom ..realtime import get_sio",
        "get_sio()",
    ),
    "field": (
        "import socketio\n\n\nclass Realtime:\n    def __init__(self):\n        self.hub = socketio.AsyncServer()\n\n\n"
        "realtime = Realtime()\n",
        EVENT.replace("import hub", "import realtime").replace("@hub", "@realtime.hub"),
        "from ..people import people\nfrom ..realtime import realtime",
        "realtime.hub",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_server_is_followed_in_python(tmp_path, form):
    made, registered, imported, server = FORMS[form]
    assert (
        differences(tmp_path, PYTHON % {"made": made, "registered": registered, "imported": imported, "server": server})
        == []
    )


HELPER = """\
=== app.py
import socketio
from delivery import emit_to_user
from people import people

hub = socketio.AsyncServer()


@hub.event
async def connect(sid, environ, auth):
    user = verify_token(auth["token"])
    people[user.id] = sid  # <- RM011


@hub.on("order:accept")
async def accept(sid, order):
    await emit_to_user(hub, order["owner"], "order:accepted")
=== people.py
people = {}
=== delivery.py
from people import people


async def emit_to_user(hub, user, event):
    await hub.emit(event, {}, to=people.get(user))  # <- RM021
"""
HELPER_WITH_ID = """\
=== app.py
import socketio
from delivery import send_to

sio = socketio.AsyncServer()
people = {}


@sio.event
async def connect(sid, environ, auth):
    user = verify_token(auth["token"])
    people[user.id] = sid  # <- RM011


async def accepted(order):
    await send_to(sio, people[order.owner], "order:accepted")
=== delivery.py
async def send_to(server, target, event):
    await server.emit(event, {}, to=target)  # <- RM021
"""
FLASK_HELPER = """\
=== app.py
from flask import request
from flask_login import current_user
from realtime import socketio
from people import people


@socketio.on("connect")
def connect():
    people[current_user.id] = request.sid  # <- RM011
=== realtime.py
from flask_socketio import SocketIO

socketio = SocketIO()
=== people.py
people = {}
=== orders.py
from people import people
import realtime


def accepted(order):
    realtime.socketio.emit("order:accepted", order.id, room=people[order.owner])  # <- RM021
"""
FLASK_FACTORY = """\
=== shop/__init__.py
from flask import Flask
from flask_socketio import SocketIO

hub = SocketIO()


def create_app():
    app = Flask(__name__)
    hub.init_app(app)
    from . import events
    return app
=== shop/events.py
from flask import request
from flask_login import current_user
from . import hub

people = {}


@hub.on("connect")
def connect():
    people[current_user.id] = request.sid  # <- RM011


def tell(user, text):
    hub.emit("note", text, to=people.get(user))  # <- RM021
"""
NAMESPACE = """\
=== chat.py
import socketio


class Chat(socketio.AsyncNamespace):
    def __init__(self, namespace):
        super().__init__(namespace)
        self.people = {}

    async def on_connect(self, sid, environ, auth):
        user = verify_token(auth["token"])
        self.people[user.id] = sid  # <- RM011

    async def tell(self, user, text):
        await self.emit("note", text, to=self.people[user])  # <- RM021
=== app.py
import socketio
from chat import Chat

sio = socketio.AsyncServer()
sio.register_namespace(Chat("/chat"))
"""
PROJECTS = {
    "helper": HELPER,
    "helper-with-id": HELPER_WITH_ID,
    "flask": FLASK_HELPER,
    "flask-factory": FLASK_FACTORY,
    "namespace": NAMESPACE,
}


@pytest.mark.parametrize("name", PROJECTS)
def test_a_server_is_followed_through_a_python_project(tmp_path, name):
    assert differences(tmp_path, PROJECTS[name]) == []
