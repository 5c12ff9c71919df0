"""Tests that a product replaces the domain and not the core."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import good_server
from good_server.new import names, skeleton, table

TEMPLATE = Path(good_server.__file__).parent
REPOSITORY = TEMPLATE.parent
PRODUCT = skeleton.Product(names.Names("shop", ("customer", "courier", "dispatcher"), "order"), "mit", "Ann", 2026)
NAMES = ["--name", "shop", "--roles", "customer,courier,dispatcher", "--topic", "order"]
# the most files beside handlers and tests of the product that a new domain touches
MOST_TOUCHED = 8
# the bound for a newcomer's `pytest`
SUITE_SECONDS = 120
CHECK_SECONDS = 300
# the folders of the product: its handlers and its tests
OF_THE_PRODUCT = ("handlers/", "tests/product/")
THEIRS = re.compile(r"SERVER_|PYTEST_|COV_CORE_|PYTHONPATH")

# the third event of the product: only dispatchers may send it, and only the order's people receive it
ASSIGN_EVENTS = """

ORDER_ASSIGN = "order:assign"
ORDER_ASSIGNED = "order:assigned"


class OrderAssign(Payload):
    room: RoomName
    courier: UserId


class OrderAssigned(Message):
    event = ORDER_ASSIGNED

    room: str
    courier: str
    by: str
    at: int
"""
ASSIGN_HANDLER = '''"""Handler of `order:assign`, an event of dispatchers for the people of an order."""

from typing import Any

from .. import events
from ..errors import Forbidden
from ..gateway import Request, Route
from ..roles import Role
from ..rooms import topic_room


def routes() -> tuple[Route, ...]:
    """Return the route of `order:assign`. Only dispatchers may send it."""
    roles = frozenset({Role.DISPATCHER})
    return (Route(events.ORDER_ASSIGN, events.OrderAssign, assign, answer=events.Noted, roles=roles),)


async def assign(request: Request, order: events.OrderAssign) -> dict[str, Any]:
    """Send the assignment to the members of the order's room. Return the `data` of the ack."""
    room = topic_room(order.room)
    if room not in request.rooms():
        raise Forbidden("only members write to a room")
    user = request.identity.user
    message = events.OrderAssigned(room=room, courier=order.courier, by=user, at=request.at)
    await request.emit(events.ORDER_ASSIGNED, message, to=(room,))
    return {"at": message.at}
'''
ASSIGN_TESTS = '''"""Tests of `order:assign`: content, receivers and refusals."""

import pytest

from ...events import ORDER_ASSIGN, ORDER_ASSIGNED
from ...roles import Role
from ...rooms import topic_room

ROOM, OTHER = topic_room("order:17"), topic_room("order:18")
ASSIGN = {"room": ROOM, "courier": "cy"}


async def test_an_assignment_reaches_the_orders_people_and_nobody_else(server, connect):
    dora = await connect("dora", Role.DISPATCHER, rooms=[ROOM])
    cy = await connect("cy", Role.COURIER, rooms=[ROOM])
    eve = await connect("eve", Role.COURIER, rooms=[OTHER])
    ack = await dora.ask(ORDER_ASSIGN, ASSIGN)
    expected = (ORDER_ASSIGNED, ASSIGN | {"by": "dora"} | ack["data"])
    assert await server.fence(dora, cy, eve) == [[expected], [expected], []]


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.COURIER])
async def test_other_roles_may_not_assign(connect, role):
    eve = await connect("eve", role, rooms=[ROOM])
    assert await eve.code(ORDER_ASSIGN, ASSIGN) == "forbidden"


async def test_a_dispatcher_of_another_order_may_not_assign(connect):
    dora = await connect("dora", Role.DISPATCHER, rooms=[OTHER])
    assert await dora.code(ORDER_ASSIGN, ASSIGN) == "forbidden"
'''


def edit(path, *pairs):
    """Replace texts in a file; each must occur once."""
    text = path.read_text("utf-8")
    for old, new in pairs:
        assert text.count(old) == 1, f"{path.name}: {old!r}"
        text = text.replace(old, new)
    path.write_text(text, "utf-8")


def add_the_third_event(folder):
    """Follow the steps of the skeleton's README for `order:assign`."""
    package = folder / "shop"
    with (package / "events.py").open("a", encoding="utf-8") as file:
        file.write(ASSIGN_EVENTS)
    (package / "handlers" / "order_assign.py").write_text(ASSIGN_HANDLER, "utf-8")
    edit(
        package / "app.py",
        ("import customer_status, order_notes,", "import customer_status, order_assign, order_notes,"),
        (
            "        *customer_status.routes(),\n",
            "        *customer_status.routes(),\n        *order_assign.routes(),\n",
        ),
    )
    (package / "tests" / "product" / "test_order_assign.py").write_text(ASSIGN_TESTS, "utf-8")


def run(folder, *arguments, python=sys.executable, timeout=CHECK_SECONDS):
    """Run `python -m …` in a folder as a user would."""
    environment = {name: value for name, value in os.environ.items() if not THEIRS.match(name)}
    command = [python, "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout)


def assert_passes(done):
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


def create(folder, python=sys.executable):
    """Write a skeleton with the command `new`."""
    environment = {"PYTHONPATH": str(REPOSITORY)} if python == sys.executable else {}
    command = [python, "-m", "good_server", "new", str(folder), *NAMES]
    kept = {name: value for name, value in os.environ.items() if not THEIRS.match(name)}
    subprocess.run(command, cwd=folder.parent, env=kept | environment, check=True, timeout=CHECK_SECONDS)
    return folder


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """A folder with a skeleton and its third event."""
    folder = create(tmp_path_factory.mktemp("product") / "shop")
    add_the_third_event(folder)
    return folder


def touched():
    """Return the files of the template that a new domain changes.

    Their paths start below `good_server/`. A new name alone is no change.
    """
    files = {path.partition("/")[2]: content for path, content in skeleton.make_files(PRODUCT).items() if "/" in path}
    values = skeleton.values_of(PRODUCT)
    changed = []
    for path in sorted(TEMPLATE.rglob("*.*")):
        inside = path.relative_to(TEMPLATE).as_posix()
        now = files.get(skeleton.renamed(inside, "", values))
        if now is not None and now.decode() != skeleton.renamed(path.read_text("utf-8"), inside, values):
            changed.append(inside)
    return changed


def test_a_new_domain_touches_at_most_eight_files():
    found = [path for path in touched() if not path.startswith(OF_THE_PRODUCT)]
    assert found == [
        ".env.example",
        "README.md",
        "app.py",
        "events.py",
        "publish.py",
        "roles.py",
        "rooms.py",
        "settings/product.py",
    ]
    assert len(found) <= MOST_TOUCHED


def test_a_new_domain_changes_no_test_of_the_core():
    assert not [path for path in touched() if path.startswith("tests/")]
    left_out = [path for path in table.LEFT_OUT if path.startswith("tests/")]
    assert left_out == ["tests/new/", "tests/demo/", "tests/integrate/", "tests/client/", "tests/chat_recipes/"]


def test_the_tools_of_a_skeleton_are_those_of_the_repository(tmp_path):
    ours = (REPOSITORY / "pyproject.toml").read_text("utf-8")
    pins = (skeleton.TEXTS / "folder" / "requirements-test.txt").read_text("utf-8")
    for tool in ("ruff", "mypy"):
        (version,) = re.findall(rf'"{tool}==([\d.]+)"', ours)
        assert f"{tool}=={version}\n" in pins
    theirs = (skeleton.TEXTS / "folder" / "pyproject.toml.txt").read_text("utf-8")
    for name in ("select", "asyncio_mode", "addopts", "timeout", "filterwarnings", "line-length"):
        (line,) = re.findall(rf"^{name} = .*$", ours, re.MULTILINE)
        assert line in theirs


def test_the_copy_of_the_license_is_the_repositorys():
    assert (TEMPLATE / "LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(4 * CHECK_SECONDS)
def test_the_product_passes_its_checks_and_all_its_tests(product):
    for checks in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["pytest", "-p", "no:cacheprovider"]):
        assert_passes(run(product, *checks, timeout=2 * CHECK_SECONDS))


# what is forgotten, and what its message names
FORGOTTEN = {
    "roles.py": 'has no attribute "CUSTOMER"',
    "rooms.py": 'has no attribute "ADMIN"',
    "events.py": "OrderNote",
    "app.py": "shop.handlers",
    "handlers/order_notes.py": "order_notes",
}


@pytest.mark.slow
@pytest.mark.timeout(len(FORGOTTEN) * CHECK_SECONDS)
def test_mypy_names_a_forgotten_step(product, tmp_path):
    folder = shutil.copytree(product, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    for name, expected in FORGOTTEN.items():
        new, old = folder / "shop" / name, TEMPLATE / name
        kept = new.read_bytes()
        if old.exists():
            shutil.copy(old, new)
        else:
            new.unlink()
        done = run(folder, "mypy")
        new.write_bytes(kept)
        assert done.returncode == 1, name
        assert expected in done.stdout, name


@pytest.mark.slow
@pytest.mark.timeout(CHECK_SECONDS)
@pytest.mark.parametrize(
    ("name", "expected"),
    [("settings/product.py", "has the rate 'note'"), (".env.example", "run `python -m shop.tests env_example`")],
)
def test_the_start_or_a_test_names_a_forgotten_step(product, tmp_path, name, expected):
    folder = shutil.copytree(product, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TEMPLATE / name, folder / "shop" / name)
    if name.endswith(".py"):
        done = run(folder, "shop")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert expected in done.stderr
    else:
        done = run(folder, "pytest", "-n", "0", "-p", "no:cacheprovider", "shop/tests/deploy/test_deploy.py")
        assert done.returncode == 1
        assert expected in done.stdout


@pytest.fixture(scope="module")
def installed_wheel(tmp_path_factory):
    """A virtual environment with the wheel and its test requirements.

    Return the wheel and the Python of the environment.
    """
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(REPOSITORY)]
    subprocess.run(build, check=True, timeout=CHECK_SECONDS)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, timeout=CHECK_SECONDS)
    python = str(folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    quiet = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    requirements = str(TEMPLATE / "requirements-test.txt")
    subprocess.run([*quiet, "-r", requirements], check=True, timeout=CHECK_SECONDS)
    subprocess.run([*quiet, "--no-deps", str(wheel)], check=True, timeout=CHECK_SECONDS)
    return wheel, python


@pytest.mark.slow
@pytest.mark.timeout(4 * CHECK_SECONDS)
def test_a_skeleton_of_the_installed_wheel_has_the_same_files(installed_wheel, tmp_path):
    wheel, python = installed_wheel
    assert "good_server/tests/conftest.py" in zipfile.ZipFile(wheel).namelist()
    from_wheel, from_here = create(tmp_path / "wheel", python), create(tmp_path / "here")
    manifests = [json.loads((folder / ".skeleton.json").read_text()) for folder in (from_wheel, from_here)]
    assert manifests[0] == manifests[1]
    assert_passes(run(from_wheel, "pytest", "-p", "no:cacheprovider", "shop/tests/product", python=python))


@pytest.mark.timing
@pytest.mark.timeout(2 * CHECK_SECONDS)
def test_the_tests_of_a_skeleton_take_under_two_minutes(product):
    started = time.monotonic()
    assert_passes(run(product, "pytest", "-p", "no:cacheprovider"))
    assert time.monotonic() - started < SUITE_SECONDS
