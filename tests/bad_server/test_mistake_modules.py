"""Tests the form of the bad server's ten mistake modules.

The docstring of each module names the mistake, its symptom, its measurement and the place of its fix.
"""

import ast
import re
from pathlib import Path

import pytest
from lab.results.claims import load_claims

import good_server
from bad_server.app import MISTAKES

ROOT = Path(good_server.__file__).parent
NUMBERED = list(enumerate(MISTAKES, start=1))
NAMES = [mistake.__name__.rpartition(".")[2] for mistake in MISTAKES]
EACH = pytest.mark.parametrize(("number", "mistake"), NUMBERED, ids=NAMES)


def source_of(mistake) -> str:
    return Path(mistake.__file__).read_text(encoding="utf-8")


@EACH
def test_a_module_begins_with_the_four_fixed_lines(number, mistake) -> None:
    lines = mistake.__doc__.strip().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Mistake", "Symptom", "Measured by", "Fixed in"]
    assert lines[2] == f"Measured by: lab compare --only {number:02}"


@EACH
def test_the_place_of_the_fix_exists(number, mistake) -> None:
    line = mistake.__doc__.strip().splitlines()[3]
    path = re.search(r"good_server/(\S+\.py)", line)
    assert path is not None
    text = "\n".join(file.read_text("utf-8") for file in [ROOT / path[1], *ROOT.rglob("*.py")])
    for quoted in re.findall(r"`([^`]+)`", line):
        assert quoted.replace("user:<sub>", "user:{user}") in text
    fixed_module = (ROOT / path[1]).read_text("utf-8")
    named = re.search(r"\.py, (?:Gateway\.)?(\w+)", line)
    assert named is not None
    assert f"def {named[1]}(" in fixed_module


@EACH
def test_a_module_has_25_to_60_lines(number, mistake) -> None:
    assert 25 <= len(source_of(mistake).splitlines()) <= 60


@EACH
def test_a_module_has_the_number_of_its_claim(number, mistake) -> None:
    assert mistake.__name__.startswith(f"bad_server.mistake_{number:02}_")
    assert load_claims()[number - 1].id == f"{number:02}"


@EACH
def test_every_function_has_a_return_type(number, mistake) -> None:
    functions = [
        node
        for node in ast.walk(ast.parse(source_of(mistake)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert all(function.returns is not None for function in functions)
