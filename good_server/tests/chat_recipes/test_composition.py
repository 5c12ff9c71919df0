"""Tests that the recipes are used only where they are composed."""

import ast
import json
import os
import subprocess
import sys

import pytest

from ...app import create_parts, create_routes
from ...gateway import Gateway
from ...recipes import events, history, receipts, typing_indicators
from ...recipes.__main__ import main
from ...recipes.database import Database
from ...settings import Settings, SettingsError
from ..package import FOLDER, PACKAGE

NAMES = {name for key, name in vars(events).items() if key.isupper() and isinstance(name, str)}
SENT = {events.HISTORY_MESSAGE, events.HISTORY_SEEN, events.TYPING_CHANGED, events.PRESENCE_CHANGED}


def imported_by(*modules):
    """Return which recipes and packages are imported with `modules`."""
    code = f"import sys, {', '.join(modules)}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = f"{PACKAGE}.recipes"
    return {name for name in done.stdout.split() if name.split(".")[0] in ("sqlalchemy", "aiosqlite", "asyncpg")} | {
        name for name in done.stdout.split() if name.startswith(ours)
    }


def test_a_server_without_recipes_imports_none_of_them():
    assert imported_by(f"{PACKAGE}.app", f"{PACKAGE}.lifecycle", f"{PACKAGE}.__main__") == set()


def test_presence_and_typing_need_no_database():
    found = imported_by(f"{PACKAGE}.recipes.presence", f"{PACKAGE}.recipes.typing_indicators")
    assert found
    assert not [name for name in found if name.startswith("sqlalchemy")]


def test_nothing_outside_of_the_folder_mentions_it():
    outside = [path for path in FOLDER.rglob("*.py") if path.relative_to(FOLDER).parts[0] not in ("recipes", "tests")]
    found = []
    for path in outside:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            found += [f"{path.name}: {name}" for name in names if "recipes" in name.split(".")]
    assert (found, len(outside) > 50) == ([], True)


def test_event_names_are_spelled_in_one_module():
    for path in (FOLDER / "recipes").glob("*.py"):
        if path.name != "events.py":
            spelled = {
                node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)
            }
            assert not spelled & NAMES, path.name


def test_each_module_is_short():
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in (FOLDER / "recipes").glob("*.py")}
    assert max(lines.values()) <= 200, lines


@pytest.fixture
def parts():
    return create_parts(Settings.model_construct())


def names_of(routes):
    # the folder may be deleted
    from ...contract import asyncapi

    return {message["name"] for message in json.loads(asyncapi(routes))["components"]["messages"].values()}


@pytest.mark.needs("contract")
def test_the_contract_has_the_events_of_the_used_routes(parts):
    assert not names_of(create_routes(parts)) & NAMES
    database = Database()
    one = names_of((*create_routes(parts), *typing_indicators.routes()))
    assert one & NAMES == {events.TYPING_SET, events.TYPING_CHANGED}
    two = names_of((*history.routes(database), *receipts.routes(database)))
    assert {events.HISTORY_MESSAGE, events.HISTORY_SEEN, events.HISTORY_AFTER} <= two


@pytest.mark.needs("contract")
def test_the_command_prints_the_whole_contract(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CHAT_DATABASE_URL", f"sqlite:///{tmp_path}/none")
    assert main(["--typescript"]) == 0
    text = capsys.readouterr().out
    assert all(json.dumps(name) in text for name in NAMES | SENT)


@pytest.mark.parametrize("url", ["mysql://ana:geheim@host/db", "no url, but geheim"])
def test_a_wrong_url_stops_the_start_with_one_line(capsys, monkeypatch, url):
    monkeypatch.setenv("CHAT_DATABASE_URL", url)
    assert main([]) == 2
    error = capsys.readouterr().err
    assert (error.count("\n"), "geheim" in error) == (1, False)
    with pytest.raises(SettingsError):
        Database(url)


def test_a_file_in_no_folder_stops_the_start_with_one_line(tmp_path):
    command = [sys.executable, "-m", f"{PACKAGE}.recipes"]
    environment = os.environ | {"CHAT_DATABASE_URL": f"sqlite:///{tmp_path}/nowhere/chat.sqlite3"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"python -m {PACKAGE}.recipes: Database does not start: OperationalError: ")
    # a driver whose thread outlives the event loop prints a traceback too
    assert len(done.stderr.splitlines()) == 1


def test_history_works_without_presence(parts):
    routes = (*create_routes(parts), *history.routes(Database()))
    assert {events.HISTORY_SEND} <= {route.event for route in Gateway("/", parts.guards, routes).routes()}
