"""RM032: a coroutine of `AsyncServer` that is not awaited."""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.ir import Member
from lab.check.model import Hit, Rule, Snippet
from lab.check.running import is_async_server, is_statement

COROUTINES = {
    "enter_room",
    "leave_room",
    "emit",
    "send",
    "close_room",
    "save_session",
    "get_session",
    "disconnect",
    "call",
}


def find(facts: Facts) -> Iterable[Hit]:
    """Yield each call of an `AsyncServer` coroutine that nothing awaits."""
    for module, call in facts.calls:
        if module.source.language != "py" or not isinstance(call.func, Member):
            continue
        if call.func.name in COROUTINES and is_statement(call) and is_async_server(facts, call.func.obj):
            yield Hit(module.path, call, f"`{call.func.name}` is a coroutine here, and nothing awaits it")


PYTHON_SOCKETIO = Snippet(
    bad="""\
import socketio

from .auth import verify_token


def register(sio: socketio.AsyncServer) -> None:
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        room = f"user:{user.id}"
        sio.enter_room(sid, room)  # <- RM032
        sio.emit("session:ready", {"user": user.id}, to=room)  # <- RM032
""",
    good="""\
import asyncio

import socketio

from .auth import verify_token


def register(sio: socketio.AsyncServer) -> None:
    @sio.event
    async def connect(sid, environ, auth):
        user = verify_token(auth["token"])
        room = f"user:{user.id}"
        await asyncio.gather(sio.enter_room(sid, room), sio.enter_room(sid, f"company:{user.company}"))
        await sio.emit("session:ready", {"user": user.id}, to=room)


def register_later(sio: socketio.AsyncServer) -> None:
    tasks = set()

    @sio.on("session:refresh")
    async def refresh(sid):
        user = (await sio.get_session(sid))["user"]
        task = asyncio.create_task(sio.emit("session:ready", {"user": user.id}, to=f"user:{user.id}"))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
""",
)

RULE = Rule(
    id="RM032",
    mistake="03",
    level="error",
    title="coroutine of AsyncServer not awaited",
    what=(
        "A coroutine method of `AsyncServer`, such as `enter_room`, `leave_room` or `emit`, is called without `await`."
    ),
    why=(
        "The call only creates a coroutine object and does nothing: the socket is in no room, and the message is "
        "not sent. Python logs at most a RuntimeWarning."
    ),
    exceptions=(
        "Some methods were plain functions in old versions of python-socketio, `enter_room` among them; the "
        "finding then warns of the upgrade. A coroutine that is returned, or passed on to a task or `gather`, is "
        "awaited there."
    ),
    fix={
        "python-socketio": (
            "Write `await` before the call, in an `async def` function.\nawait sio.enter_room(sid, room)"
        ),
    },
    snippets={"python-socketio": PYTHON_SOCKETIO},
    find=find,
)
