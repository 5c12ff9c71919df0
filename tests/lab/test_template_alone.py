"""The template works in a copy, with only its own pinned packages.

The copy starts a server and passes its own tests.
"""

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
# In CI all tests run. Elsewhere they would take minutes, and they also run in place, so only a few run in the copy:
# settings, layers, the command line in an empty folder, real clients, worker processes, a server in a child process.
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
def test_the_template_has_the_pins_of_the_repository(name):
    assert pins(TEMPLATE / name)
    assert pins(TEMPLATE / name) <= pins(REPOSITORY / "requirements.txt")


def test_test_packages_are_not_installed_with_the_server():
    assert not pins(TEMPLATE / "requirements.txt") & pins(TEMPLATE / "requirements-test.txt")
    assert "-r requirements.txt" in (TEMPLATE / "requirements-test.txt").read_text("utf-8")


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """Copy only the template into an empty folder."""
    folder = tmp_path_factory.mktemp("product")
    shutil.copytree(TEMPLATE, folder / "good_server", ignore=shutil.ignore_patterns("__pycache__", ".env"))
    return folder


def create_environment(product, requirements, folder):
    """Create an environment with only these requirements; returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=INSTALL_SECONDS)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
    subprocess.run(command, cwd=product, check=True, timeout=INSTALL_SECONDS)
    return str(python)


@pytest.fixture(scope="module")
def python_alone(product, tmp_path_factory):
    return create_environment(product, "good_server/requirements.txt", tmp_path_factory.mktemp("server") / "venv")


@pytest.fixture(scope="module")
def python_with_tests(product, tmp_path_factory):
    return create_environment(product, "good_server/requirements-test.txt", tmp_path_factory.mktemp("tests") / "venv")


@pytest.fixture
def clean_environment(monkeypatch):
    """Remove the settings and the module path of the current environment."""
    for name in ("PYTHONPATH", "SERVER_ENV", "SERVER_JWT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SERVER_PORT", "0")
    monkeypatch.setenv("SERVER_INTERNAL_PORT", "0")


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_SECONDS + 2 * WAIT_SECONDS)
def test_the_copy_serves_with_only_its_own_pins(product, python_alone, clean_environment):
    command = [python_alone, "-m", "good_server"]
    with subprocess.Popen(command, cwd=product, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = next(line for line in process.stdout if line.startswith("listening on"))
            url = re.search(r"http://[\d.:]+", line)[0]
            with urllib.request.urlopen(f"{url}/healthz", timeout=WAIT_SECONDS) as response:  # noqa: S310 - our own server
                assert response.status == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_SECONDS) == 0
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_SECONDS + SUITE_SECONDS)
def test_the_copy_passes_its_own_tests(product, python_with_tests, clean_environment):
    chosen = [f"good_server/tests/{name}" for name in TESTS]
    command = [python_with_tests, "-m", "pytest", "-p", "no:cacheprovider", "-x", *chosen]
    finished = subprocess.run(command, cwd=product, capture_output=True, text=True, timeout=SUITE_SECONDS)
    assert finished.returncode == 0, finished.stdout[-3000:]
    assert re.search(r"\d+ passed", finished.stdout)


def test_the_copy_has_the_test_options_of_the_repository(product):
    copy = configparser.ConfigParser()
    copy.read(product / "good_server" / "pytest.ini")
    repository = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    names = ("asyncio_mode", "asyncio_default_fixture_loop_scope", "timeout")
    assert {name: copy["pytest"][name] for name in names} == {name: str(repository[name]) for name in names}
    assert shlex.split(copy["pytest"]["addopts"]) == repository["addopts"]
    assert copy["pytest"]["filterwarnings"].split() == repository["filterwarnings"]
