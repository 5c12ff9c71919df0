"""Tests that the wheel contains the checker's rules and data."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import lab.check
import pytest

ROOT = Path(__file__).parents[3]
FOLDER = Path(lab.check.__file__).parent
SERVER = "import socketio\n\nsio = socketio.AsyncServer()\n\n\nasync def tell():\n    sio.emit('a')\n"
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import lab
from lab.__main__ import main
print(lab.__file__)
main(["check", sys.argv[2]])
"""


def test_every_file_of_the_checker_is_python_or_known_data():
    found = {path.suffix for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    # another kind of data needs a look at what the wheel takes
    assert found <= {".py", ".json"}


def test_the_checker_lies_in_a_package_of_the_wheel():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "notebooks/lab" in settings["packages"]
    assert not any(excluded.startswith("notebooks/lab") for excluded in settings.get("exclude", []))


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_wheel_has_every_rule_and_the_costs(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, timeout=170)
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"lab/check/{path.relative_to(FOLDER).as_posix()}"
        for path in FOLDER.rglob("*")
        if path.suffix in {".py", ".json"}
    }
    assert "lab/check/costs.json" in wanted
    assert wanted <= names
    # a wheel that is unpacked anywhere works by itself
    zipfile.ZipFile(wheel).extractall(tmp_path / "unpacked")
    (tmp_path / "app.py").write_text(SERVER)
    command = [sys.executable, "-I", "-c", PROGRAM, str(tmp_path / "unpacked"), str(tmp_path / "app.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout.startswith(str(tmp_path / "unpacked"))
    assert "RM032 error" in done.stdout
