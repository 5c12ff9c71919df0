"""Tests that a renamed copy of the template works without the repository.

The copy uses only its own requirements, and passes its tests.
"""

import configparser
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import good_server

TEMPLATE = Path(good_server.__file__).parent
REPOSITORY = TEMPLATE.parent
INSTALL_SECONDS = 240
# with all lanes of CI; a suite that hangs ends here
SUITE_SECONDS = 1500
# in CI the template's own tests run here and nowhere else, so all lanes run
IS_CI = bool(os.environ.get("CI"))


def pins(path):
    return {line for line in path.read_text("utf-8").splitlines() if "==" in line}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt"])
def test_the_templates_pins_are_those_of_the_repository(name):
    assert pins(TEMPLATE / name)
    assert pins(TEMPLATE / name) <= pins(REPOSITORY / "requirements.txt")


def test_what_is_only_for_tests_is_not_installed_with_the_server():
    assert not pins(TEMPLATE / "requirements.txt") & pins(TEMPLATE / "requirements-test.txt")
    assert "-r requirements.txt" in (TEMPLATE / "requirements-test.txt").read_text("utf-8")


def test_the_copys_tests_run_as_the_repositorys_do():
    here = configparser.ConfigParser()
    here.read(TEMPLATE / "pytest.ini")
    there = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    same = ("asyncio_mode", "asyncio_default_fixture_loop_scope", "timeout")
    assert {name: here["pytest"][name] for name in same} == {name: str(there[name]) for name in same}
    assert shlex.split(here["pytest"]["addopts"]) == there["addopts"]
    assert here["pytest"]["filterwarnings"].split() == there["filterwarnings"]


def install(copy, requirements, folder):
    """Give the copy a virtual environment with only these requirements."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=INSTALL_SECONDS)
    copy.python = str(folder / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    options = ["--quiet", "--disable-pip-version-check", "-r", str(copy.package / requirements)]
    done = copy.run("pip", "install", *options, timeout=INSTALL_SECONDS)
    assert done.returncode == 0, done.stderr
    return copy


def playwright_requirement():
    """Return the requirement of Playwright. It is too large for the requirements of everybody's tests."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    [requirement] = [line for line in project["optional-dependencies"]["dev"] if line.startswith("playwright")]
    return requirement


@pytest.fixture(scope="module")
def realtime(copy_template, tmp_path_factory):
    """Return a copy of the template with the new name `realtime`.

    Only the requirements of the copy's tests are installed for it. In CI, these include the frameworks of its recipes,
    and Playwright, which the tests of the example page need.
    """
    requirements = "requirements-recipes.txt" if IS_CI else "requirements-test.txt"
    copy = install(copy_template("realtime"), requirements, tmp_path_factory.mktemp("tests") / "venv")
    if IS_CI:
        done = copy.run("pip", "install", "--quiet", playwright_requirement(), timeout=INSTALL_SECONDS)
        assert done.returncode == 0, done.stderr
    return copy


@pytest.mark.slow
@pytest.mark.timeout(2 * INSTALL_SECONDS)
def test_the_copy_serves_with_only_its_own_pins(copy_template, tmp_path):
    install(copy_template(), "requirements.txt", tmp_path / "venv").assert_is_healthy()


@pytest.mark.slow
@pytest.mark.timeout(INSTALL_SECONDS + SUITE_SECONDS)
def test_the_renamed_copy_passes_its_tests(realtime):
    # the tests with the marker `pace` run in the next test, one after the other
    lanes = "not timing and not pace" if IS_CI else "not slow and not timing"
    realtime.assert_tests_pass("-m", lanes, timeout=SUITE_SECONDS)


@pytest.mark.timing
@pytest.mark.skipif(not IS_CI, reason="the template's own folder has the same tests")
@pytest.mark.timeout(INSTALL_SECONDS + SUITE_SECONDS)
def test_the_renamed_copy_passes_its_timing_tests(realtime):
    realtime.assert_tests_pass("-m", "timing or pace", "-n", "0", timeout=SUITE_SECONDS)
