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
from ..package import SERVER
from ..stand_in import topic


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


@pytest.mark.timeout(2 * NPM_SECONDS)
def test_the_document_is_valid_asyncapi(npm_folder):
    schema = json.loads((npm_folder / "node_modules/@asyncapi/specs/schemas/3.0.0.json").read_text())
    jsonschema.Draft7Validator(schema).validate(document())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(document() | {"operations": {"a": {"action": "shout"}}})


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


def test_the_rates_of_every_event_are_settings():
    rates = {rate for operation in document()["operations"].values() for rate in operation.get("x-rates", ())}
    assert rates
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


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.event)
async def test_the_ack_of_every_event_is_the_one_in_the_contract(connect, route):
    # the payload has the form of the model; the server may still refuse it
    payload = example(route.payload)
    tab = await connect("ana", min(route.roles), rooms=[topic("17")], company="acme")
    validate(payload, payload_of(route.event))
    validate(await tab.ask(route.event, payload), payload_of(f"{route.event}.ack"))


@pytest.mark.parametrize("event", [route.event for route in routes()])
async def test_the_refusal_of_every_event_is_the_one_in_the_contract(connect, event):
    tab = await connect("ana", company="acme")
    ack = await tab.ask(event, {"surprise": 1})
    assert not ack["ok"]
    validate(ack, payload_of(f"{event}.ack"))


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
