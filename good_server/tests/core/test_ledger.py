"""The ledger WITHSTANDS.md names every row's tests, and they exist."""

import ast
import re

from ..package import FOLDER, has_part

TESTS = FOLDER / "tests"
LEDGER = (TESTS / "WITHSTANDS.md").read_text("utf-8")
LEDGER_ROW = re.compile(r"^\| (\d+) \|.*\|$", re.MULTILINE)
NAMED = re.compile(r"`(\w+)/(test_\w+\.py)::(test_\w+)`")
# tests of the server and of the product; the other folders belong to optional parts
KEPT = ("core", "demo")


def names_in(path):
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds) and node.name.startswith("test_")}


def existing():
    return {(path.parent.name, path.name, name) for path in TESTS.glob("*/test_*.py") for name in names_in(path)}


def test_every_test_that_the_ledger_names_exists():
    named = {test for test in NAMED.findall(LEDGER) if test[0] in KEPT or has_part(test[0])}
    assert named, "there is no ledger"
    assert named - existing() == set()


def test_every_test_of_a_row_stands_in_the_ledger():
    of_rows = {test for test in existing() if test[-1].startswith("test_row_")}
    assert of_rows - set(NAMED.findall(LEDGER)) == set()


def test_the_ledger_has_every_row_once():
    assert [int(row) for row in LEDGER_ROW.findall(LEDGER)] == list(range(1, 39))


def test_at_least_twelve_rows_fail_without_their_defence():
    names = [name for *_, name in NAMED.findall(LEDGER)]
    assert len({name.split("_")[2] for name in names if name.endswith("_fails_without_its_defence")}) >= 12
