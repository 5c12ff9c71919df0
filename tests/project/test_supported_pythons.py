"""Test that every file names the same supported versions of Python.

Another version gets one clear line.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CLASSIFIER = "Programming Language :: Python :: 3."
SUPPORTED = [int(line.removeprefix(CLASSIFIER)) for line in PROJECT["classifiers"] if line.startswith(CLASSIFIER)]
COMMANDS = [("good_server", ()), ("lab", ("compare",))]
# runs a command as another version of Python would, up to the check
PRETEND = """
import runpy, sys
sys.version_info = {version} + sys.version_info[2:]
sys.argv = ["-m", *sys.argv[1:]]
runpy.run_module({module!r}, run_name="__main__", alter_sys=False)
"""


def run(python, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "notebooks")])}
    return subprocess.run([python, "-B", *arguments], env=environment, capture_output=True, text=True, timeout=60)


def line_of(module, version):
    return f"{module}: Python {version} is not supported; it needs 3.{SUPPORTED[0]} to 3.{SUPPORTED[-1]}\n"


def test_the_supported_versions_are_the_same_everywhere():
    assert list(range(SUPPORTED[0], SUPPORTED[-1] + 1)) == SUPPORTED
    assert PROJECT["requires-python"] == f">=3.{SUPPORTED[0]},<3.{SUPPORTED[-1] + 1}"
    names = " ".join(f"3.{minor}" for minor in SUPPORTED)
    assert f"\nsupported=({names})\n" in (ROOT / ".ci" / "run").read_text()


def test_every_smoke_test_exists():
    lines = (ROOT / ".ci" / "smoke").read_text().splitlines()
    files = [line for line in lines if not line.startswith("#")]
    assert files == sorted(set(files))
    assert [file for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize(("module", "arguments"), COMMANDS)
@pytest.mark.parametrize("version", [(3, 10), (3, SUPPORTED[-1] + 1), (4, 0)])
def test_an_unsupported_version_gets_one_line(module, arguments, version):
    done = run(sys.executable, "-c", PRETEND.format(version=version, module=module), *arguments)
    assert (done.returncode, done.stderr) == (2, line_of(module, ".".join(map(str, version))))


def real_pythons():
    """Yield every older Python of this machine that is not supported."""
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in range(6, SUPPORTED[0]):
        names = [*folder.glob(f"3.{minor}.*/bin/python"), shutil.which(f"python3.{minor}")]
        yield from (str(name) for name in names if name is not None)


@pytest.mark.parametrize(("module", "arguments"), COMMANDS)
def test_a_real_older_python_gets_the_same_line(module, arguments):
    found = 0
    for python in real_pythons():
        version = run(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
        if version.returncode == 0:
            found += 1
            done = run(python, "-m", module, *arguments)
            assert (done.returncode, done.stderr) == (2, line_of(module, version.stdout.strip()))
    if not found:
        pytest.skip("no older Python is installed")


@pytest.mark.parametrize(("module", "arguments"), COMMANDS)
def test_this_python_is_supported(module, arguments):
    assert sys.version_info[1] in SUPPORTED
    done = run(sys.executable, "-m", module, *arguments, "--help")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_newer_python_may_import_the_server():
    pretend = "import sys; sys.version_info = (3, 99, 0, 'final', 0); sys.argv = ['tool']; import good_server"
    assert run(sys.executable, "-c", pretend).returncode == 0


def test_the_documents_name_the_same_versions():
    named = re.compile(r"3\.11 to (3\.\d+)")
    for path in ("notebooks/lab/__init__.py", "good_server/__init__.py"):
        assert named.findall((ROOT / path).read_text()) == [f"3.{SUPPORTED[-1]}"], path
