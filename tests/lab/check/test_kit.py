"""Tests of the checker on this kit's own two servers."""

import shutil
from pathlib import Path

import pytest
from lab.check.result import Options
from lab.check.run import check

import bad_server
import good_server

BAD, GOOD = (Path(package.__file__).parent for package in (bad_server, good_server))
# what the other two do wrong cannot be read from code: a lock on one connection, and slow work
STATIC = ("01", "02", "03", "04", "05", "06", "08", "10")
# rules of another mistake that a module may raise, too
ALSO = {"04": {"05"}}


def findings(path):
    """Return the findings in a module or folder, no rule failing."""
    result = check([path], Options())
    assert (list(result.failures), list(result.unreadable)) == ([], [])
    return result


@pytest.mark.parametrize("mistake", STATIC)
def test_a_bad_module_gives_its_own_mistake(mistake):
    [module] = BAD.glob(f"mistake_{mistake}_*.py")
    assert mistake in {finding.mistake for finding in findings(module).findings}


@pytest.mark.parametrize("mistake", [f"{number:02}" for number in range(1, 11)])
def test_a_bad_module_gives_no_other_mistake(mistake):
    [module] = BAD.glob(f"mistake_{mistake}_*.py")
    assert {finding.mistake for finding in findings(module).findings} - {mistake} <= ALSO.get(mistake, set())


def test_the_whole_bad_server_gives_each_static_mistake():
    found = {finding.mistake for finding in findings(BAD).findings}
    assert found >= set(STATIC)


def test_the_good_server_gives_only_suppressed_findings():
    result = findings(GOOD)
    assert list(result.findings) == []
    assert {reason for reason, _ in result.hidden} <= {"suppressed"}


def test_a_bad_handler_in_the_good_server_is_found(tmp_path):
    shutil.copytree(GOOD, tmp_path / "server", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    [module] = BAD.glob("mistake_01_*.py")
    shutil.copy(module, tmp_path / "server" / "handlers" / "stored.py")
    assert {finding.path for finding in findings(tmp_path / "server").findings} == {"handlers/stored.py"}
