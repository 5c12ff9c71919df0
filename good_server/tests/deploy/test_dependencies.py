"""Tests of row 38 of `WITHSTANDS.md`: installed packages without known vulnerabilities."""

import json
import re
import shutil
import subprocess
from importlib import metadata

import pytest

# the first fixed version: CVE-2026-48804, CVE-2026-48802, and the fixes before them
FLOORS = {"python-socketio": (5, 16, 2), "python-engineio": (4, 13, 2), "pyjwt": (2, 13), "aiohttp": (3, 14, 1)}
AUDIT_SECONDS = 50


def release(version):
    """Return the leading numbers of a version, such as (2, 12, 9)."""
    return tuple(int(part) for part in re.match(r"\d+(\.\d+)*", version)[0].split("."))


def check_floors():
    low = {name: metadata.version(name) for name in FLOORS if release(metadata.version(name)) < FLOORS[name]}
    assert not low, f"known vulnerabilities: {low}"


def test_row_38_installed_versions_have_no_known_holes():
    check_floors()


@pytest.mark.parametrize("version", ["1.0", "2.12.9", "4.13.1rc1"])
def test_row_38_fails_without_its_defence(monkeypatch, version):
    monkeypatch.setattr(metadata, "version", lambda name: version)
    with pytest.raises(AssertionError, match="known vulnerabilities"):
        check_floors()


def judged(report):
    """Return the vulnerabilities by package, and the number of audited packages.

    `report` is the output of pip-audit.
    """
    audited = [package for package in report["dependencies"] if "vulns" in package]
    return {p["name"]: [found["id"] for found in p["vulns"]] for p in audited if p["vulns"]}, len(audited)


def test_row_38_a_found_hole_differs_from_an_unknown_package():
    report = {"dependencies": [{"name": "a", "vulns": [{"id": "CVE-1"}]}, {"name": "b", "skip_reason": "unknown"}]}
    assert judged(report) == ({"a": ["CVE-1"]}, 1)


@pytest.mark.slow
def test_row_38_an_audit_of_what_is_installed_finds_nothing(tmp_path):
    program = shutil.which("pip-audit")
    if program is None:
        pytest.skip("not audited: pip-audit is not installed (pip install pip-audit)")
    pins = tmp_path / "pins.txt"
    pins.write_text("\n".join(sorted({f"{found.name}=={found.version}" for found in metadata.distributions()})))
    command = [program, "--requirement", pins, "--no-deps", "--disable-pip", "--progress-spinner", "off", "-f", "json"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=AUDIT_SECONDS, check=False)
        vulnerabilities, audited = judged(json.loads(ended.stdout))
    except (subprocess.TimeoutExpired, ValueError):
        pytest.skip("not audited: pip-audit could not reach its database")
    assert vulnerabilities == {}
    if not audited:
        pytest.skip("not audited: pip-audit's database was reached and knew none of the packages")
