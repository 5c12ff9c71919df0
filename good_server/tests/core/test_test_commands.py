"""Tests of the command line of the tests themselves: `python -m good_server.tests`."""

import sys

import pytest

from ..__main__ import COMMANDS, find, main

LIST = "use one of ledger, soak, protocol-suites, tracing-price\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], f"a command is missing; {LIST}"),
        (["sock"], f"there is no command 'sock'; {LIST}"),
        # a module of helpers
        (["tabs"], f"there is no command 'tabs'; {LIST}"),
        (["a.b"], f"there is no command 'a.b'; {LIST}"),
        (["ledger", "x", "y"], "ledger does not take these arguments: x y\n"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_is_one_line(capsys, arguments, line):
    with pytest.raises(SystemExit) as ended:
        main(*arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f".tests: {line}")


def test_a_command_names_the_package_that_it_lacks(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    monkeypatch.delitem(sys.modules, "opentelemetry.sdk.trace", raising=False)
    package = __package__.rpartition(".")[0]
    monkeypatch.delitem(sys.modules, f"{package}.tracing_price", raising=False)
    with pytest.raises(SystemExit):
        main("tracing-price")
    printed = capsys.readouterr().err
    assert "tracing-price needs the module opentelemetry" in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "tracing-price"])
def test_each_command_exists(name):
    assert callable(find(name))
