"""Tests of the layers of modules, and of room and event names.

A module imports only from lower layers. Names of rooms and events are written in one module only.
"""

import ast
import re
from functools import cache

import pytest

from ... import events, rooms
from ...roles import TOPIC
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
# folders whose files may not import each other
SEPARATE = {"handlers"}
EVENTS = {name for key, name in vars(events).items() if key.isupper() and isinstance(name, str)}
SPELLS_ROOMS = {
    "rooms.py": "it names all rooms",
    "roles.py": "the form of a topic room, as a token may grant some",
}


@cache
def room_prefixes():
    """Return the prefixes of all room names, such as `user:`.

    They come from `rooms.py` and the topic of the product.
    """
    spelled = set(literals(ast.parse((ROOT / "rooms.py").read_text("utf-8"))))
    return frozenset({text for text in spelled if re.fullmatch(r"[\w-]+:", text)} | {f"{TOPIC}:"})


def modules(root):
    """Yield the path, the part and the syntax tree of each file.

    Tests are left out. The part of `gateway/gateway.py` is `gateway`.
    """
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        # tests are outside the layers and may import all of them
        if inside.as_posix() != "__init__.py" and inside.parts[0] != "tests":
            yield inside, inside.parts[0].removesuffix(".py"), ast.parse(path.read_text("utf-8"))


def imported(tree, inside):
    """Yield the dotted names that a module imports. Relative names are resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = [PACKAGE, *inside.parts[: len(inside.parts) - node.level]] if node.level else []
            yield from (".".join([*above, *filter(None, [node.module]), alias.name]) for alias in node.names)


def wrong_arrows(root):
    """Yield imports that do not go to a lower layer.

    They go to the same layer, to a higher layer, or to a part without a layer.
    """
    for inside, part, tree in modules(root):
        for name in imported(tree, inside):
            target = name.removeprefix(f"{PACKAGE}.").partition(".")[0]
            if not name.startswith(f"{PACKAGE}.") or (part == target and part not in SEPARATE):
                continue
            if LAYER.get(target, len(LAYER)) >= LAYER.get(part, -1):
                yield f"{inside} imports {name}"


def docstrings(tree):
    """Yield the syntax nodes of docstrings, which are prose and no names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def literals(tree):
    prose = set(docstrings(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
            yield node.value


def misspelled(root):
    """Yield strings that name a room or event outside its own module."""
    for inside, _, tree in modules(root):
        for text in literals(tree):
            is_room = text.startswith(tuple(room_prefixes())) and text not in EVENTS
            if is_room and inside.as_posix() not in SPELLS_ROOMS:
                yield f"{inside} spells the room {text!r}"
            if text in EVENTS and inside.as_posix() != "events.py":
                yield f"{inside} spells the event {text!r}"


def foreign_imports(root):
    """Yield imports of `bad_server` or `lab`.

    A copied template does not have these folders of the repository.
    """
    for inside, _, tree in modules(root):
        names = [name for name in imported(tree, inside) if name.split(".")[0] in ("bad_server", "lab")]
        yield from (f"{inside} imports {name}" for name in names)


def test_every_part_of_the_server_has_a_layer():
    assert {part for _, part, _ in modules(ROOT)} - LAYER.keys() == set()


def test_no_import_goes_up_or_sideways():
    assert list(wrong_arrows(ROOT)) == []


def test_nothing_of_the_rest_of_the_repository_is_imported():
    assert list(foreign_imports(ROOT)) == []


def test_no_handler_mentions_redis():
    handlers = sorted((ROOT / "handlers").glob("*.py"))
    assert {path.name for path in handlers} >= {"rooms.py", "session.py"}
    assert [path.name for path in handlers if re.search(r"redis|cluster", path.read_text("utf-8"), re.I)] == []


def test_rooms_and_events_are_named_in_one_place():
    assert list(misspelled(ROOT)) == []


def test_the_check_knows_every_event_of_the_contract():
    messages = [message for message in events.Message.__subclasses__() if message.__module__ == events.__name__]
    assert {events.AUTH_REFRESH, events.SERVER_CLOSING, *(message.event for message in messages)} < EVENTS


def test_the_check_knows_every_kind_of_room():
    names = {rooms.user_room("ana"), *rooms.everyone(), f"{TOPIC}:17"}
    assert {name.partition(":")[0] + ":" for name in names} <= room_prefixes()


USER, ROLE = rooms.user_room(""), rooms.role_room("")
BAD = [
    (wrong_arrows, "roles.py", "from .rooms import user_room"),
    (wrong_arrows, "roles.py", "from . import gateway"),
    (wrong_arrows, "roles.py", f"import {PACKAGE}.app"),
    (wrong_arrows, "rooms.py", "from .events import AUTH_REFRESH"),
    (wrong_arrows, "services/reports.py", "from ..gateway.gateway import Gateway"),
    (wrong_arrows, "handlers/chat.py", "def later():\n    from ..handlers import rooms"),
    (wrong_arrows, "admission.py", "if TYPE_CHECKING:\n    from .app import Application"),
    (wrong_arrows, "helpers.py", f"from {PACKAGE}.errors import Refusal"),
    (wrong_arrows, "errors.py", "from .helpers import help"),
    (foreign_imports, "app.py", "from bad_server.app import MISTAKES"),
    (foreign_imports, "app.py", "import lab.measure"),
    (misspelled, "handlers/chat.py", f"room = f'{USER}{{name}}'"),
    (misspelled, "gateway/gateway.py", f"room = '{ROLE}' + role"),
    (misspelled, "handlers/chat.py", f"Route('{events.AUTH_REFRESH}')"),
]
GOOD = [
    (wrong_arrows, "rooms.py", "from .roles import Identity"),
    (wrong_arrows, "gateway/gateway.py", "from .route import Route"),
    (misspelled, "handlers/chat.py", f'"""Joins `{USER}ana`."""\nname = "ana"'),
]


@pytest.mark.parametrize(("check", "path", "text"), BAD)
def test_a_wrong_import_or_name_is_found(tmp_path, check, path, text):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    assert len(list(check(tmp_path))) == 1


@pytest.mark.parametrize(("check", "path", "text"), GOOD)
def test_a_right_import_or_name_is_not_reported(tmp_path, check, path, text):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    assert list(check(tmp_path)) == []
