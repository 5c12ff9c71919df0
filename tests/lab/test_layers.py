"""Tests that each folder of the lab imports only from lower folders.

Modules must not import each other in a circle.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import lab
import pytest

ROOT = Path(lab.__file__).parent
# lowest first; a folder may import only from lower rows
LAYERS = (
    ("system",),
    ("results",),
    ("servers",),
    ("clients",),
    ("scenarios",),
    ("compare",),
    ("figures",),
    ("bench", "report"),
    ("check",),
    ("lessons", "scaling"),
    ("exercises", "interview"),
    ("diagnosis",),
    ("live",),
    ("cli",),
    # the entry points of notebooks and of the command line
    ("__init__", "__main__"),
)
LAYER = {part: number for number, row in enumerate(LAYERS) for part in row}
MODULES_AT_MOST = 4
# packages of the repository that the lab may import
MEASURED_PACKAGES = {"good_server", "bad_server"}


def modules(root):
    """Yield the path and syntax tree of every Python file below `root`."""
    for path in sorted(root.rglob("*.py")):
        yield path.relative_to(root), ast.parse(path.read_text("utf-8"))


def folder_of(path):
    """Return the folder of a file, such as `servers` for `servers/heap.py`.

    A file outside every folder gives its own name without `.py`.
    """
    return path.parts[0].removesuffix(".py")


def imported(tree):
    """Yield the dotted name of everything that a module imports.

    Imports inside functions count too.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide the layer"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_from_lab(tree):
    """Yield each name that a module imports from `lab`, as parts.

    The parts of `lab.servers.heap` are `servers` and `heap`. For `lab` itself there is one part, `__init__`.
    """
    for name in imported(tree):
        package, *parts = name.split(".")
        if package == "lab":
            yield parts or ["__init__"]


def wrong_imports(root):
    """Yield one line for each import that the layers forbid.

    A module must not import from another folder of the same or a higher layer, or from an unknown folder.
    """
    for path, tree in modules(root):
        for parts in imported_from_lab(tree):
            if parts[0] == folder_of(path):
                continue
            if LAYER.get(parts[0], len(LAYERS)) >= LAYER.get(folder_of(path), -1):
                yield f"{path} imports lab.{'.'.join(parts)}"


def circles(root):
    """Yield the first circle of modules that import each other, if any."""
    trees = {path.with_suffix("").parts: tree for path, tree in modules(root)}
    graph = {}
    for name, tree in trees.items():
        found = (tuple(parts[:end]) for parts in imported_from_lab(tree) for end in (1, 2, 3))
        graph[name] = {other for other in found if other in trees}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield " -> ".join("/".join(name) for name in error.args[1])


def test_every_folder_of_the_lab_has_a_layer():
    assert {folder_of(path) for path, _ in modules(ROOT)} == LAYER.keys()


def test_no_import_goes_up_or_sideways():
    assert list(wrong_imports(ROOT)) == []


def test_no_modules_import_each_other():
    assert list(circles(ROOT)) == []


def test_only_the_folders_of_the_checker_hold_folders():
    paths = [path for path, _ in modules(ROOT)]
    assert {path.parts[:2] for path in paths if len(path.parts) > 2} == {("check", "parse"), ("check", "rules")}
    assert [path for path in paths if len(path.parts) > 3] == []
    assert len([path for path in paths if len(path.parts) == 1]) <= MODULES_AT_MOST


def test_only_both_servers_are_imported_from_the_repository():
    repository = {path.name for path in ROOT.parents[1].iterdir() if path.is_dir()} - {"lab"}
    found = {name.split(".")[0] for _, tree in modules(ROOT) for name in imported(tree)}
    assert found & repository <= MEASURED_PACKAGES


BAD = [
    (wrong_imports, "results/run.py", "from lab.servers.heap import heap_bytes"),
    (wrong_imports, "results/run.py", "from lab import servers"),
    (wrong_imports, "results/run.py", "import lab.cli.compare"),
    (wrong_imports, "results/run.py", "import lab"),
    (wrong_imports, "bench/run.py", "from lab.report import terminal"),
    (wrong_imports, "servers/fleet.py", "def later():\n    from lab.clients.tab import Tab"),
    (wrong_imports, "servers/fleet.py", "if TYPE_CHECKING:\n    from lab.compare import runner"),
    (wrong_imports, "helpers.py", "from lab.results.run import Run"),
    (wrong_imports, "cli/compare.py", "from lab.helpers import help"),
    (circles, "results/run.py", "from lab.results.run import Run"),
]
GOOD = [
    (wrong_imports, "servers/fleet.py", "from lab.system.spawn import start_process"),
    (wrong_imports, "servers/fleet.py", "from lab.servers.process import Server"),
    (wrong_imports, "servers/fleet.py", "from good_server.app import create_app"),
    (circles, "servers/fleet.py", "from lab.servers.process import Server"),
]


@pytest.mark.parametrize(("check", "path", "text"), BAD)
def test_a_planted_violation_is_found(tmp_path, check, path, text):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    assert len(list(check(tmp_path))) == 1


def test_a_planted_circle_of_two_modules_is_found(tmp_path):
    (tmp_path / "servers").mkdir()
    (tmp_path / "servers/fleet.py").write_text("from lab.servers.process import Server")
    (tmp_path / "servers/process.py").write_text("if TYPE_CHECKING:\n    from lab.servers import fleet")
    assert len(list(circles(tmp_path))) == 1


@pytest.mark.parametrize(("check", "path", "text"), GOOD)
def test_an_allowed_import_passes(tmp_path, check, path, text):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    assert list(check(tmp_path)) == []
