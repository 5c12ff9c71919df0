"""Imports point downwards only, and names are spelled in one place."""

import ast
import re

import pytest

from ... import events
from ..package import FOLDER as ROOT
from ..package import PACKAGE

README = ROOT / "README.md"
# a row of the table of layers: `| 1 | `auth.py` | what it does |`
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \|", re.MULTILINE)
# the layer of each part, from the table in the README
LAYER = {
    part.removesuffix(".py"): int(layer)
    for layer, parts in ROW.findall(README.read_text("utf-8"))
    for part in re.findall(r"`([\w.]+)/?`", parts)
}
# folders of which each file stands alone
SEPARATE = {"handlers"}
ROOM = re.compile(r"(user|role|company|job):")
EVENTS = {name for key, name in vars(events).items() if key.isupper() and isinstance(name, str)}
SPELLS_ROOMS = {
    "rooms.py": "it is the one place",
    "roles.py": "the form of a topic room, as a token may grant some",
    "__main__.py": "the room of the examples and of the tokens that a newcomer is given",
}


def modules(root):
    """Each file's path, its part, and its syntax tree. The part of `gateway/gateway.py` is `gateway`."""
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        # tests stand beside the layers and look at all of them
        if inside.as_posix() != "__init__.py" and inside.parts[0] != "tests":
            yield inside, inside.parts[0].removesuffix(".py"), ast.parse(path.read_text("utf-8"))


def imported(tree, inside):
    """The dotted names that a module imports. Relative ones are resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = [PACKAGE, *inside.parts[: len(inside.parts) - node.level]] if node.level else []
            yield from (".".join([*above, *filter(None, [node.module]), alias.name]) for alias in node.names)


def wrong_arrows(root):
    """Imports that go up, sideways, or to what is not listed."""
    for inside, part, tree in modules(root):
        for name in imported(tree, inside):
            target = name.removeprefix(f"{PACKAGE}.").partition(".")[0]
            if not name.startswith(f"{PACKAGE}.") or (part == target and part not in SEPARATE):
                continue
            if LAYER.get(target, len(LAYER)) >= LAYER.get(part, -1):
                yield f"{inside} imports {name}"


def docstrings(tree):
    """The strings that are prose."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def literals(tree):
    prose = set(docstrings(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
            yield node.value


def misspelled(root):
    """Names of rooms and events as literals where they do not belong."""
    for inside, _, tree in modules(root):
        for text in literals(tree):
            if ROOM.match(text) and inside.as_posix() not in SPELLS_ROOMS:
                yield f"{inside} spells the room {text!r}"
            if text in EVENTS and inside.as_posix() != "events.py":
                yield f"{inside} spells the event {text!r}"


def strangers(root):
    """Imports of the repository, which a copied template does not have."""
    for inside, _, tree in modules(root):
        names = [name for name in imported(tree, inside) if name.split(".")[0] in ("bad_server", "lab")]
        yield from (f"{inside} imports {name}" for name in names)


def test_every_part_of_the_server_has_a_layer():
    assert {part for _, part, _ in modules(ROOT)} - LAYER.keys() == set()


def test_no_import_goes_up_or_sideways():
    assert list(wrong_arrows(ROOT)) == []


def test_nothing_of_the_rest_of_the_repository_is_imported():
    assert list(strangers(ROOT)) == []


def test_no_handler_knows_of_redis():
    handlers = sorted((ROOT / "handlers").glob("*.py"))
    assert len(handlers) > 5
    assert [path.name for path in handlers if re.search(r"redis|cluster", path.read_text("utf-8"), re.I)] == []


def test_rooms_and_events_are_named_in_one_place():
    assert list(misspelled(ROOT)) == []


def test_every_event_of_the_contract_is_looked_for():
    assert {"chat:send", "auth:refresh", "server:closing"} < EVENTS


BAD = [
    (wrong_arrows, "roles.py", "from .rooms import user_room"),
    (wrong_arrows, "roles.py", "from . import gateway"),
    (wrong_arrows, "roles.py", f"import {PACKAGE}.app"),
    (wrong_arrows, "rooms.py", "from .events import CHAT_SEND"),
    (wrong_arrows, "services/reports.py", "from ..gateway.gateway import Gateway"),
    (wrong_arrows, "handlers/chat.py", "def later():\n    from ..handlers import rooms"),
    (wrong_arrows, "admission.py", "if TYPE_CHECKING:\n    from .app import Application"),
    (wrong_arrows, "helpers.py", f"from {PACKAGE}.errors import Refusal"),
    (wrong_arrows, "errors.py", "from .helpers import help"),
    (strangers, "app.py", "from bad_server.app import MISTAKES"),
    (strangers, "app.py", "import lab.measure"),
    (misspelled, "handlers/chat.py", "room = f'user:{name}'"),
    (misspelled, "gateway/gateway.py", "room = 'role:' + role"),
    (misspelled, "handlers/chat.py", "Route('chat:send')"),
]
GOOD = [
    (wrong_arrows, "rooms.py", "from .roles import Identity"),
    (wrong_arrows, "gateway/gateway.py", "from .route import Route"),
    (misspelled, "handlers/chat.py", '"""Joins `user:ana`."""\nname = "ana"'),
]


@pytest.mark.parametrize(("check", "path", "text"), BAD)
def test_a_planted_offence_is_found(tmp_path, check, path, text):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    assert len(list(check(tmp_path))) == 1


@pytest.mark.parametrize(("check", "path", "text"), GOOD)
def test_what_is_no_offence_is_not_found(tmp_path, check, path, text):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    assert list(check(tmp_path)) == []
