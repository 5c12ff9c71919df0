"""Tests of the live page's files, without a browser."""

import re
import shutil
import subprocess
from importlib import resources

import pytest

PAGE = resources.files("lab.live") / "page"
FILES = {path.name: path.read_text("utf-8") for path in PAGE.iterdir()}
MODULES = sorted(name for name in FILES if name.endswith(".js"))
LINES_AT_MOST = 2500
LINES_A_FILE_AT_MOST = 260


def test_the_page_stays_small():
    assert sum(len(text.splitlines()) for text in FILES.values()) <= LINES_AT_MOST


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_small_and_says_what_it_is(name):
    lines = FILES[name].splitlines()
    assert len(lines) <= LINES_A_FILE_AT_MOST
    assert re.match(r"// (\d\d: )?.*\.$", lines[0])


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_its_neighbours(name):
    imported = re.findall(r'^import .* from "(.*)";$', FILES[name], re.MULTILINE)
    assert all(path.startswith("./") and path[2:] in FILES for path in imported)


@pytest.mark.parametrize("name", sorted(FILES))
def test_no_file_loads_anything_from_outside(name):
    addresses = re.findall(r"https?://[^\s\"'`<)]+", FILES[name])
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_is_used(name):
    others = [text for other, text in FILES.items() if other != name]
    assert name == "index.html" or any(f"/{name}" in text for text in others)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_never_reads_text_as_html(name):
    assert not re.search(r"insertAdjacentHTML|document\.write|outerHTML|\beval\(", FILES[name])
    # one constant picture, without anything from the session
    assert FILES[name].count("innerHTML") == (name == "heartbeat.js")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_valid_javascript(name):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node")
    checked = subprocess.run(
        [node, "--check", "--input-type=module"], input=FILES[name], capture_output=True, text=True, timeout=30
    )
    assert checked.returncode == 0, checked.stderr
