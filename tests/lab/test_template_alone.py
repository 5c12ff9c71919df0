"""The template, copied alone into an empty folder and installed from its own pins, serves and passes its own tests."""

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest

import good_server

TEMPLATE = Path(good_server.__file__).parent
REPOSITORY = TEMPLATE.parent
INSTALL_SECONDS = 240
WAIT_SECONDS = 30
SUITE_SECONDS = 900
# All of them in CI. Elsewhere, as they take minutes and run beside this one anyway, those that need most: the settings,
# the layers, the command line in an empty folder, real clients, worker processes, a child with the server in it.
QUICK = (
    "core/test_settings.py",
    "core/test_layers.py",
    "core/test_command_line.py",
    "demo/test_chat.py",
    "reports/test_reports.py",
    "core/test_no_socket_id_stays.py",
)
TESTS = ("",) if os.environ.get("CI") else QUICK


def pins(path):
    return {line for line in path.read_text("utf-8").splitlines() if "==" in line}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt"])
def test_the_templates_pins_are_those_of_the_repository(name):
    assert pins(TEMPLATE / name)
    assert pins(TEMPLATE / name) <= pins(REPOSITORY / "requirements.txt")


def test_what_is_only_for_tests_is_not_installed_with_the_server():
    assert not pins(TEMPLATE / "requirements.txt") & pins(TEMPLATE / "requirements-test.txt")
    assert "-r requirements.txt" in (TEMPLATE / "requirements-test.txt").read_text("utf-8")


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """An empty folder with the template in it and nothing else of the repository."""
    folder = tmp_path_factory.mktemp("product")
    shutil.copytree(TEMPLATE, folder / "good_server", ignore=shutil.ignore_patterns("__pycache__", ".env"))
    return folder


def installed(product, requirements, folder):
    """The Python of a new environment with these requirements and no other."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=INSTALL_SECONDS)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
    subprocess.run(command, cwd=product, check=True, timeout=INSTALL_SECONDS)
    return str(python)


@pytest.fixture(scope="module")
def python_alone(product, tmp_path_factory):
    return installed(product, "good_server/requirements.txt", tmp_path_factory.mktemp("server") / "venv")


@pytest.fixture(scope="module")
def python_with_tests(product, tmp_path_factory):
    return installed(product, "good_server/requirements-test.txt", tmp_path_factory.mktemp("tests") / "venv")


@pytest.fixture
def bare(monkeypatch):
    """No setting and no module path of whoever runs the tests."""
    for name in ("PYTHONPATH", "SERVER_ENV", "SERVER_JWT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SERVER_PORT", "0")
    monkeypatch.setenv("SERVER_INTERNAL_PORT", "0")


@pytest.mark.timeout(INSTALL_SECONDS + 2 * WAIT_SECONDS)
def test_the_copy_serves_from_its_own_pins_alone(product, python_alone, bare):
    command = [python_alone, "-m", "good_server"]
    with subprocess.Popen(command, cwd=product, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = next(line for line in process.stdout if line.startswith("listening on"))
            url = re.search(r"http://[\d.:]+", said)[0]
            with urllib.request.urlopen(f"{url}/healthz", timeout=WAIT_SECONDS) as response:  # noqa: S310 - our own server
                assert response.status == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_SECONDS) == 0
        finally:
            process.kill()


@pytest.mark.timeout(INSTALL_SECONDS + SUITE_SECONDS)
def test_the_copy_passes_its_own_tests(product, python_with_tests, bare):
    chosen = [f"good_server/tests/{name}" for name in TESTS]
    command = [python_with_tests, "-m", "pytest", "-p", "no:cacheprovider", "-x", *chosen]
    done = subprocess.run(command, cwd=product, capture_output=True, text=True, timeout=SUITE_SECONDS)
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"\d+ passed", done.stdout)


def test_the_copys_tests_run_as_the_repositorys_do(product):
    here = configparser.ConfigParser()
    here.read(product / "good_server" / "pytest.ini")
    there = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    same = ("asyncio_mode", "asyncio_default_fixture_loop_scope", "timeout")
    assert {name: here["pytest"][name] for name in same} == {name: str(there[name]) for name in same}
    assert shlex.split(here["pytest"]["addopts"]) == there["addopts"]
    assert here["pytest"]["filterwarnings"].split() == there["filterwarnings"]
