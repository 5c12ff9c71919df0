"""Tests that the exported contract describes the events of the platform."""

import subprocess

import jsonschema
import pytest

from ... import events
from ..npm import NPM_SECONDS
from ..package import has_part
from ..programs import installed

if not has_part("contract"):
    pytest.skip("deleted parts: contract", allow_module_level=True)

from ... import contract
from ..contract.test_contract import document, payload_of, routes, validate

# exact versions, so that every update is a decision
USE = """
import { io, type Socket } from "socket.io-client";
import type { ClientToServerEvents, ServerToClientEvents } from "./contract";

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();
socket.on("chat:message", (message) => { const who: string = message.from.id; const when: number = message.at; });
socket.emit("chat:send", { to: "bo", text: "hello" }, (answer) => {
  if (answer.ok) { const id: string = answer.data.id; }
  else if (answer.error.code === "rate_limited") { const seconds: number | undefined = answer.error.retry_after; }
});
"""
if has_part("reports"):
    USE += """
export const job: Promise<string | null> = socket
  .emitWithAck("report:request", { kind: "cpu", size: 5 })
  .then((answer) => (answer.ok ? answer.data.job : null));
"""
WRONG_USES = {
    "an unknown event": 'socket.emit("chat:shout", { to: "bo", text: "x" }, () => {});',
    "both targets": 'socket.emit("chat:send", { to: "bo", room: "job:17", text: "x" }, () => {});',
    "no target": 'socket.emit("chat:send", { text: "x" }, () => {});',
    "an unknown status": 'socket.emit("driver:status", { status: "asleep" }, () => {});',
    "an ack that is not checked": 'socket.emit("room:join", { room: "job:17" }, (answer) => answer.data.room);',
    "an unknown code": 'socket.emit("room:join", { room: "job:17" }, (a) => !a.ok && a.error.code === "no");',
    "a message's missing field": 'socket.on("tracking:position", (message) => message.sender);',
}


@pytest.fixture
def complaints(npm_folder, tmp_path):
    """`complaints(text)` returns the TypeScript compiler's errors for this program.

    The program may import the exported contract.
    """

    def compile_with_contract(text):
        (tmp_path / "node_modules").symlink_to(npm_folder / "node_modules")
        (tmp_path / "contract.ts").write_text(contract.typescript(routes()))
        (tmp_path / "use.ts").write_text(text)
        tsc = npm_folder / "node_modules" / "typescript" / "bin" / "tsc"
        options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022"]
        command = [installed("node"), str(tsc), *options, "use.ts"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=NPM_SECONDS)
        return done.stdout

    return compile_with_contract


@pytest.mark.timeout(2 * NPM_SECONDS)
def test_the_types_fit_the_socket_of_socket_io_client(complaints):
    assert complaints(USE) == ""


@pytest.mark.timeout(2 * NPM_SECONDS)
def test_every_wrong_use_is_refused_by_the_compiler(complaints):
    # an expected error that does not come is an error, too
    wrong = [f"// @ts-expect-error {why}\n{line}" for why, line in WRONG_USES.items()]
    assert complaints("\n".join([USE, *wrong])) == ""


@pytest.mark.timeout(2 * NPM_SECONDS)
def test_a_wrong_use_that_is_not_expected_is_an_error(complaints):
    assert "TS2345" in complaints(USE + WRONG_USES["an unknown event"])


def test_the_guards_of_an_event_are_those_of_its_route():
    operation = document()["operations"]["tracking.update"]
    assert operation["x-roles"] == ["driver"]
    assert "tracking_per_second" in operation["x-rates"]


def requests(token):
    """Return one valid request for each event, sent by an allowed role.

    `token` is a valid token, for the refresh of a session.
    """
    return {
        events.CHAT_SEND: ("vendor", {"to": "ana", "text": "hello"}),
        events.TRACKING_UPDATE: ("driver", {"lat": 1.5, "lng": 2, "speed": 3.5}),
        events.DRIVER_STATUS: ("driver", {"status": "busy"}),
        events.SYSTEM_ANNOUNCE: ("admin", {"text": "hello", "level": "info", "roles": ["driver"]}),
        events.ROOM_JOIN: ("vendor", {"room": "job:17"}),
        events.ROOM_LEAVE: ("vendor", {"room": "job:17"}),
        events.REPORT_REQUEST: ("vendor", {"kind": "outside", "size": 1}),
        events.AUTH_REFRESH: ("vendor", {"token": token}),
    }


@pytest.mark.parametrize(
    "route", [route for route in routes() if route.event in requests("")], ids=lambda route: route.event
)
async def test_a_valid_request_is_accepted_as_in_the_contract(server, connect, route):
    role, payload = requests(server.token("ana"))[route.event]
    tab = await connect("ana", role, rooms=["job:17"])
    validate(payload, payload_of(route.event))
    answer = await tab.ask(route.event, payload)
    assert answer["ok"], answer
    validate(answer, payload_of(f"{route.event}.ack"))
    route.answer.model_validate(answer["data"])


@pytest.fixture
def message_of(server, connect):
    """`await message_of(event)` returns a received payload of this event.

    The fixture makes the server send it.
    """

    async def receive(event):
        admin = await connect("eve", "admin", rooms=["job:17"])
        driver = await connect("dee", "driver", company="acme", rooms=["job:17"])
        listed = requests(server.token("eve"))
        for name in (events.TRACKING_UPDATE, events.DRIVER_STATUS):
            await driver.ask(name, listed[name][1])
        for chat in ({"room": "job:17"}, {"to": "eve"}):
            await driver.ask(events.CHAT_SEND, chat | {"text": "hello"})
        for name in (events.SYSTEM_ANNOUNCE, events.REPORT_REQUEST):
            await admin.ask(name, {key: value for key, value in listed[name][1].items() if key != "roles"})
        return await admin.receives(event)

    return receive


MESSAGES = [
    events.CHAT_MESSAGE,
    events.TRACKING_POSITION,
    events.DRIVER_STATUS_CHANGED,
    events.SYSTEM_ANNOUNCEMENT,
    pytest.param(events.REPORT_READY, marks=pytest.mark.needs("reports")),
]


@pytest.mark.parametrize("event", MESSAGES)
async def test_every_message_on_the_wire_is_the_one_in_the_contract(message_of, event):
    validate(await message_of(event), payload_of(event))


@pytest.mark.parametrize("chat", [{"text": "x"}, {"text": "x", "to": "bo", "room": "job:17"}, {"text": "", "to": "bo"}])
def test_the_contract_refuses_what_the_server_refuses(chat):
    with pytest.raises(jsonschema.ValidationError):
        validate(chat, payload_of(events.CHAT_SEND))
