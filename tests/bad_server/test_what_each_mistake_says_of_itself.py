"""A learner opens any bad module: what is wrong, how it shows, how it is measured and where it is right come first."""

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
def test_it_opens_with_the_same_four_lines(number, mistake) -> None:
    lines = mistake.__doc__.strip().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Mistake", "Symptom", "Measured by", "Put right in"]
    assert lines[2] == f"Measured by: lab compare --only {number:02}"


@EACH
def test_the_place_where_it_is_put_right_is_there(number, mistake) -> None:
    told = mistake.__doc__.strip().splitlines()[3]
    path = re.search(r"good_server/(\S+\.py)", told)
    assert path is not None
    text = "\n".join(file.read_text("utf-8") for file in [ROOT / path[1], *ROOT.rglob("*.py")])
    for quoted in re.findall(r"`([^`]+)`", told):
        assert quoted.replace("user:<sub>", "user:{user}") in text
    first = (ROOT / path[1]).read_text("utf-8")
    named = re.search(r"\.py, (?:Gateway\.)?(\w+)", told)
    assert named is not None
    assert f"def {named[1]}(" in first


@EACH
def test_it_is_short_enough_to_see_the_mistake_at_once(number, mistake) -> None:
    assert 25 <= len(source_of(mistake).splitlines()) <= 60


@EACH
def test_its_name_and_number_are_those_of_its_claim(number, mistake) -> None:
    assert mistake.__name__.startswith(f"bad_server.mistake_{number:02}_")
    assert load_claims()[number - 1].id == f"{number:02}"


@EACH
def test_every_function_says_what_it_returns(number, mistake) -> None:
    functions = [
        node
        for node in ast.walk(ast.parse(source_of(mistake)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert all(function.returns is not None for function in functions)
