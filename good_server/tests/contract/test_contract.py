"""Tests that the exported AsyncAPI and TypeScript files describe the server."""

import json
import subprocess
import sys

import jsonschema
import pytest
import socketio

from ... import contract, errors, events
from ...__main__ import main
from ...app import create_parts, create_routes
from ...contract.schemas import SCHEMAS, messages
from ...settings import Settings
from ..examples import example
from ..npm import NPM_SECONDS
from ..package import SERVER, has_part
from ..programs import installed

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


def routes():
    # the defaults, whatever the environment says
    return create_routes(create_parts(Settings.model_construct()))


def document():
    return json.loads(contract.asyncapi(routes()))


def validate(value, schema):
    """Raise an error when `value` does not fit `schema`.

    References in the schema point into the AsyncAPI document.
    """
    whole = {"components": document()["components"], **schema}
    jsonschema.Draft202012Validator(whole).validate(value)


def payload_of(key):
    return document()["components"]["messages"][key.replace(":", ".")]["payload"]


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
def test_the_document_is_valid_asyncapi(npm_folder):
    schema = json.loads((npm_folder / "node_modules/@asyncapi/specs/schemas/3.0.0.json").read_text())
    jsonschema.Draft7Validator(schema).validate(document())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(document() | {"operations": {"a": {"action": "shout"}}})


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


def references(node):
    if isinstance(node, dict):
        yield from [node["$ref"]] if "$ref" in node else []
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from references(part)


def test_every_reference_in_the_document_is_defined():
    found = set(references(whole := document()))
    assert len(found) > len(messages())
    for reference in found:
        place = whole
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def models(kind):
    """Return the subclasses of `kind` in the module `events`."""
    found = [value for value in vars(events).values() if isinstance(value, type)]
    return {model for model in found if issubclass(model, kind) and model is not kind}


@pytest.mark.needs("reports")
def test_every_event_name_is_in_the_contract():
    named = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}
    assert named == {route.event for route in routes()} | {model.event for model in messages()}


@pytest.mark.needs("reports")
def test_every_answer_model_is_that_of_an_event():
    assert {route.answer for route in routes()} == models(events.Answer)


def test_every_message_model_is_in_the_contract_once():
    assert set(messages()) == models(events.Message)
    assert len({model.event for model in messages()}) == len(messages())


def test_the_guards_of_an_event_are_those_of_its_route():
    operation = document()["operations"]["tracking.update"]
    assert operation["x-roles"] == ["driver"]
    rates = {rate for operation in document()["operations"].values() for rate in operation.get("x-rates", ())}
    assert "tracking_per_second" in operation["x-rates"]
    assert rates <= Settings.model_fields.keys()


def refusals(kind=errors.Refusal):
    for child in kind.__subclasses__():
        yield child
        yield from refusals(child)


@pytest.mark.parametrize("refusal", list(refusals()))
def test_every_refusal_is_in_the_contract_with_all_its_fields(refusal):
    full = refusal(field="text", retry_after=0.5, id="1").as_error()
    where = "ConnectRefusal" if refusal is errors.UnknownNamespace else "Refusal"
    refused = {"message": str(refusal()), "data": full} if where == "ConnectRefusal" else full
    validate(refused, {"$ref": SCHEMAS + where})


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


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.event)
async def test_the_ack_of_every_event_is_the_one_in_the_contract(server, connect, route):
    # an event that is not listed gets a payload of its form, which it may refuse
    listed = requests(server.token("ana")).get(route.event)
    role, payload = listed or (min(route.roles), example(route.payload))
    tab = await connect("ana", role, rooms=["job:17"], **({"company": "acme"} if role == "company" else {}))
    validate(payload, payload_of(route.event))
    answer = await tab.ask(route.event, payload)
    validate(answer, payload_of(f"{route.event}.ack"))
    if listed:
        assert answer["ok"], answer
        route.answer.model_validate(answer["data"])


@pytest.mark.parametrize("event", [route.event for route in routes()])
async def test_the_refusal_of_every_event_is_the_one_in_the_contract(connect, event):
    tab = await connect("ana", "provider")
    ack = await tab.ask(event, {"surprise": 1})
    assert not ack["ok"]
    validate(ack, payload_of(f"{event}.ack"))


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


@pytest.mark.parametrize("model", messages(), ids=lambda model: model.event)
def test_every_message_model_fits_its_schema(model):
    validate(model.model_validate(example(model)).on_the_wire(), payload_of(model.event))


async def test_the_expiry_notice_is_the_one_in_the_contract(server, connect):
    # warned after two thirds of its life
    tab = await connect("ana", life_seconds=2)
    validate(await tab.receives(events.AUTH_EXPIRING), payload_of(events.AUTH_EXPIRING))


async def test_the_goodbye_is_the_one_in_the_contract(server, connect):
    tab = await connect("ana")
    await server.ended()
    validate(await tab.receives(events.SERVER_CLOSING), payload_of(events.SERVER_CLOSING))


async def test_a_refused_connection_is_the_one_in_the_contract(server, new_tab):
    tab = new_tab()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await tab.connect(server.url, "no token")
    validate(await tab.refusal, {"$ref": SCHEMAS + "ConnectRefusal"})


@pytest.mark.parametrize("chat", [{"text": "x"}, {"text": "x", "to": "bo", "room": "job:17"}, {"text": "", "to": "bo"}])
def test_the_contract_refuses_what_the_server_refuses(chat):
    with pytest.raises(jsonschema.ValidationError):
        validate(chat, payload_of(events.CHAT_SEND))


@pytest.mark.parametrize(("form", "start"), [("--asyncapi", "{"), ("--typescript", "//")])
def test_the_command_prints_the_contract_and_nothing_else(form, start):
    command = [sys.executable, *SERVER, "contract", form]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr, done.stdout.startswith(start)) == (0, "", True)


@pytest.mark.parametrize("arguments", [[], ["--asyncapi", "--typescript"]])
def test_the_command_needs_exactly_one_form(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["contract", *arguments])
    assert (ended.value.code, capsys.readouterr().err.count("\n")) == (2, 1)
