"""Tests of the files of the client folder, without Node."""

import re

import pytest

from ...app import create_parts, create_routes
from ...settings import Settings
from ..package import FOLDER, PACKAGE, TEMPLATE_NAME

CLIENT = FOLDER / "client"
MOST_LINES = 250
MOST_COLUMNS = 120


def read(name):
    return (CLIENT / name).read_text("utf-8")


@pytest.mark.needs("contract", "reports")
def test_the_generated_types_are_current():
    # not at the top: the folder may be deleted
    from ... import contract

    routes = create_routes(create_parts(Settings.model_construct()))
    current = contract.typescript(routes).replace(f"python -m {PACKAGE}", f"python -m {TEMPLATE_NAME}") + "\n"
    command = f"python -m {PACKAGE} contract --typescript > {PACKAGE}/client/events.ts"
    assert read("events.ts") == current, f"run: {command}"


def test_the_client_is_short():
    lines = read("realtime.ts").splitlines()
    assert len(lines) <= MOST_LINES
    assert [line for line in lines if len(line) > MOST_COLUMNS] == []


def test_the_client_needs_only_socket_io_client():
    imported = re.findall(r'\bfrom "([^"]+)"|\bimport\("([^"]+)"\)|\brequire\("([^"]+)"\)', read("realtime.ts"))
    assert {"".join(name) for name in imported} == {"socket.io-client", "./events.js"}


def test_the_client_uses_websocket_only():
    assert re.findall(r"transports: (\[.*?\])", read("realtime.ts")) == ['["websocket"]']
