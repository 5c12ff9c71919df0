"""Tests that `WITHSTANDS.md` matches the tests, and every row has one."""

import re

from .. import ledger
from ..package import PACKAGE, TEMPLATE_NAME


def has_folder(name):
    return (ledger.TESTS / name).is_dir()


# rows whose folder of tests was deleted are left out
ROWS = [row for row, each in ledger.PROMISES.items() if each.part is None or has_folder(each.part)]
# the folder of a test, which stands in backticks; none for the dash of an empty cell
FOLDER = re.compile(r"`?(\w*)")
COMMAND = f"python -m {PACKAGE}.tests ledger"
FILE = ledger.LEDGER.read_text("utf-8").replace(TEMPLATE_NAME, PACKAGE)
LINES = {int(line.split(" ")[1]): line for line in FILE.splitlines() if re.match(r"\| \d", line)}


def without_deleted_tests(line):
    """Return a line of the file without tests of deleted folders."""
    promise, *cells = line.removesuffix(" |").rsplit(" | ", 2)
    kept = [[test for test in cell.split(", ") if has_folder(FOLDER.match(test)[1])] for cell in cells]
    return " | ".join([promise, *(", ".join(tests) or "–" for tests in kept)]) + " |"


def test_the_ledger_has_its_rows_in_order():
    assert list(ledger.PROMISES) == sorted(ledger.PROMISES)
    assert ledger.PROMISES.keys() >= set(range(1, 39))


def test_the_ledgers_introduction_is_generated():
    assert FILE.startswith(ledger.HEAD.format(package=f"{PACKAGE}.tests"))


def test_the_ledger_is_what_its_generator_writes():
    table = ledger.lines()
    written = {row: without_deleted_tests(LINES[row]) for row in ROWS}
    assert written == {row: table[row] for row in ROWS}, f"run `{COMMAND}`"


def test_every_row_has_a_test_of_the_server_as_it_is():
    assert set(ROWS) - {test.row for test in ledger.tests_of_rows() if not test.removes_defence} == set()


def test_every_test_of_a_row_belongs_to_a_promise():
    assert {test.row for test in ledger.tests_of_rows()} <= ledger.PROMISES.keys()


def test_at_least_twelve_rows_fail_without_their_defence():
    names = [test.name for test in ledger.tests_of_rows()]
    assert len({name.split("_row_")[1][:2] for name in names if "_fails_without_its_defence" in name}) >= 12
