"""Tests of what `new` writes, and of `--diff`."""

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace

import pytest

from ...__main__ import main
from ...new import edits, skeleton, table
from ...new.names import Names
from ...new.skeleton import Product, make_files
from ..package import FOLDER
from ..programs import installed
from ..waiting import PROCESS_SECONDS

# every name occurs in another one or in the template
PRODUCT = Product(Names("good_worker", ("zookeeper", "room", "good_server"), "zebra"), "mit", "Ann & Co", 2026)
CREATE = ["--name", "shop", "--roles", "customer,courier,dispatcher", "--topic", "order"]


@pytest.fixture(scope="module")
def files():
    return make_files(PRODUCT)


@pytest.fixture
def folder(tmp_path, capsys):
    """A folder with a new skeleton."""
    assert main(["new", str(tmp_path / "shop"), *CREATE]) == 0
    assert capsys.readouterr().err == ""
    return tmp_path / "shop"


def test_no_name_of_the_template_is_left(files):
    code = {path: content.decode() for path, content in files.items() if path != "README.md"}
    assert not [path for path, text in code.items() if "good-server" in text or "@name@" in text]
    # `good_server` is a role of this product, so look for the ways to name the package
    assert not [path for path, text in code.items() if "-m good_server" in text or "good_server/" in text]


@pytest.mark.needs("deploy", "reports")
def test_the_units_have_the_name_of_the_product(files):
    assert "good_worker/deploy/good-worker@.service" in files
    assert "good_worker/reports/good-worker-worker.service" in files


def test_every_module_of_a_skeleton_can_be_compiled(files):
    for path, content in files.items():
        if path.endswith(".py"):
            compile(content, path, "exec")


def test_no_place_in_a_text_is_left_unfilled(files):
    texts = [place for place in table.ADDED.values() if "package" not in place]
    assert texts
    assert not [path for path in texts if edits.PLACE.search(files.get(path, b"").decode())]


def test_every_text_of_the_command_is_used():
    there = {path.relative_to(skeleton.TEXTS).as_posix() for path in skeleton.TEXTS.rglob("*") if path.is_file()}
    assert there == {*table.ADDED, *filter(None, table.LICENSES.values()), "events.py.txt"}


def test_the_settings_of_the_tools_can_be_read(files):
    project = tomllib.loads(files["pyproject.toml"].decode())
    assert project["project"]["name"] == "good-worker"
    assert project["tool"]["mypy"]["files"] == ["good_worker"]
    assert files["VERSION"] == b"0.1.0\n"


@pytest.mark.parametrize("name", sorted(table.LICENSES))
def test_the_license_is_the_chosen_one(name):
    files = make_files(replace(PRODUCT, license=name))
    text = files.get("LICENSE", b"").decode()
    assert ("Ann & Co" in text, "MIT" in text) == (name != "none", name == "mit")
    # the template's own license stays with its code
    assert files["good_worker/LICENSE"] == (FOLDER / "LICENSE").read_bytes()


def test_an_edit_that_does_not_fit_names_its_file(monkeypatch):
    monkeypatch.setattr(table, "ROLES", "no such roles")
    with pytest.raises(edits.EditError, match=r"^roles\.py: 'no such roles' occurs 0 times"):
        make_files(PRODUCT)


def test_a_definition_that_is_missing_is_reported():
    with pytest.raises(edits.EditError, match="nothing defines B"):
        edits.drop("A", "B")("A = 1\n")


def test_a_definition_is_dropped_with_its_comment():
    text = "import os\n\n# about A\nA = 1\nB = 2\n\n\n@cache\ndef f():\n    pass\n\n\nclass C:\n    pass\n"
    assert edits.drop("A", "f")(text) == "import os\n\nB = 2\n\n\nclass C:\n    pass\n"


def test_the_manifest_holds_the_hash_of_every_file(folder):
    manifest = json.loads((folder / ".skeleton.json").read_text())
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {*manifest["files"], ".skeleton.json"}
    for path, digest in manifest["files"].items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == digest


def difference(capsys, folder):
    assert main(["new", str(folder), "--diff"]) == 0
    return capsys.readouterr().out


def test_a_skeleton_of_this_template_has_no_difference(folder, capsys):
    (folder / "shop" / "app.py").write_text("# edited by the team\n")
    lines = difference(capsys, folder).splitlines()
    assert [line[0] for line in lines] == ["#"]


@pytest.fixture
def newer(tmp_path, monkeypatch):
    """A newer template: one file is new, one missing, two changed."""
    template = tmp_path / "newer"
    shutil.copytree(FOLDER, template, ignore=shutil.ignore_patterns("__pycache__", ".env"))
    (template / "added.py").write_text('"""Added."""\n')
    (template / "dns.py").unlink()
    for name in ("runtime.py", "closing.py"):
        (template / name).write_text((template / name).read_text() + "# newer\n")
    monkeypatch.setattr(skeleton, "TEMPLATE", template)


@pytest.mark.usefixtures("newer")
def test_diff_shows_what_a_newer_template_changes(folder_of_old, capsys):
    (folder_of_old / "shop" / "closing.py").write_text("# edited by the team\n")
    patch = difference(capsys, folder_of_old)
    assert "# shop/closing.py: changed in the template and edited here" in patch
    changed = [line for line in patch.splitlines() if line.startswith(("--- ", "+++ "))]
    assert changed == [
        *("--- /dev/null", "+++ b/shop/added.py"),
        *("--- a/shop/dns.py", "+++ /dev/null"),
        *("--- a/shop/runtime.py", "+++ b/shop/runtime.py"),
    ]


@pytest.mark.usefixtures("newer")
def test_git_applies_the_diff(folder_of_old, capsys):
    patch = difference(capsys, folder_of_old)
    command = [installed("git"), "apply", "-"]
    subprocess.run(command, cwd=folder_of_old, input=patch, text=True, check=True, timeout=PROCESS_SECONDS)
    assert (folder_of_old / "shop" / "runtime.py").read_text().endswith("# newer\n")
    assert not (folder_of_old / "shop" / "dns.py").exists()
    assert [line[0] for line in difference(capsys, folder_of_old).splitlines()] == ["#"]


@pytest.fixture
def folder_of_old(tmp_path, capsys):
    """A skeleton made by the unchanged template, in another process."""
    command = [sys.executable, "-m", FOLDER.name, "new", str(tmp_path / "old"), *CREATE]
    subprocess.run(command, check=True, capture_output=True, timeout=PROCESS_SECONDS)
    return tmp_path / "old"


@pytest.mark.parametrize("manifest", [None, "", "{}", "[]", '{"name": 1, "roles": 2}'])
def test_diff_without_a_manifest_is_refused_in_one_line(tmp_path, capsys, manifest):
    if manifest is not None:
        (tmp_path / ".skeleton.json").write_text(manifest)
    code = main(["new", str(tmp_path), "--diff"])
    printed, errors = capsys.readouterr()
    assert (code, printed, errors.count("\n")) == (2, "", 1)


def test_diff_takes_no_other_option(folder, capsys):
    assert main(["new", str(folder), "--diff", "--name", "shop"]) == 2
    assert "--diff takes only the folder" in capsys.readouterr().err
