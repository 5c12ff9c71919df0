"""The attacks that the server withstands, one row of `WITHSTANDS.md` each.

`python -m good_server.tests ledger` writes that file. The tests of row 19 have names that begin with `test_row_19_`, or
the marker `@pytest.mark.row(19)`.
"""

import ast
import re
from functools import cache
from typing import NamedTuple

from .package import FOLDER

TESTS = FOLDER / "tests"
LEDGER = TESTS / "WITHSTANDS.md"
# `test_row_07_…`, `test_row_20_and_21_…`; a test named `…_fails_…` takes the defence of its row away
NAME = re.compile(r"test_row_(\d\d(?:_and_\d\d)*)_(fails_)?")
HEAD = """\
# What the server withstands
The promises follow OWASP ASVS 5.0 and the RFCs. Each row has a test over a real connection. The last column names a \
test that removes the defence and shows that the first test then fails. `python -m {package} ledger` writes this file \
from `ledger.py` and from the names of the tests.

| row | promise | source | test | without its defence |
|---|---|---|---|---|
"""


class Promise(NamedTuple):
    """One row of `WITHSTANDS.md`: a promise and its source standard.

    `part` is the folder of tests that holds the row. A team may delete it, with its part of the server.
    """

    text: str
    source: str = "–"
    part: str | None = None


PROMISES = {
    1: Promise("A connection without a valid token is refused", "ASVS 9.1.1, 9.1.2; RFC 8725, 3.1"),
    2: Promise("The server never fetches keys from an address in a token's header", "ASVS 9.1.3"),
    3: Promise("The server does not start with a missing, weak or published key", "RFC 7518, 3.2"),
    4: Promise("A token is valid only between its start and its expiry, with a small leeway", "ASVS 9.2.1"),
    5: Promise("A token from another issuer or for another audience is refused", "ASVS 9.2.3; RFC 8725, 3.8, 3.9"),
    6: Promise("A token of another type is refused", "ASVS 9.2.2; RFC 8725, 3.11"),
    7: Promise("Malformed claims and handshakes are refused and never crash the server", "ASVS 15.3.5"),
    8: Promise("A token in the URL is not accepted and appears in no log", "ASVS 16.2.5"),
    9: Promise("A session whose token expires is warned first and closed after it", "ASVS 7.3.2, 7.4.1"),
    10: Promise("A refresh cannot change the user, and a changed role leaves its old rooms at once", "ASVS 8.3.2"),
    11: Promise("A token check that hangs, fails or is cancelled accepts no client and leaves nothing behind"),
    12: Promise("A page from a foreign origin is refused before the upgrade", "ASVS 4.4.2"),
    13: Promise("A forwarded address is trusted only when it comes from a trusted proxy", "ASVS 15.3.4"),
    14: Promise("Silent, refused, cut and half-open transports are closed", "ASVS 2.4.1"),
    15: Promise("A flood of connections gets `Retry-After`, and other clients can still connect", "ASVS 2.4.1"),
    16: Promise("An unknown namespace or transport is refused with a clear message"),
    17: Promise("Compression is not negotiated"),
    18: Promise("An event with a reserved name runs no handler and closes its connection", "ASVS 8.2.1"),
    19: Promise("A malformed packet is answered, and a few of them close the connection", "ASVS 16.3.3"),
    20: Promise("The server does not wait for announced binary attachments"),
    21: Promise("A frame over the size limit closes the connection with code 1009", "ASVS 4.4"),
    22: Promise("An internal error is answered with the id of its log entry and without a stack trace"),
    23: Promise("A wrong value is answered `invalid` with its field, and its input is not echoed", "ASVS 2.2.1"),
    24: Promise("Sender, role and time of a message come from the server", "ASVS 15.3.3", part="demo"),
    25: Promise(
        "A flood of events is rate limited, then disconnected; slow events of one client run one at a time, in order",
        "ASVS 2.4.1",
    ),
    26: Promise("No room is created for a user without an entitlement"),
    27: Promise("Every event reaches its audience and nobody else", "ASVS 8.2.1, 8.2.2", part="demo"),
    28: Promise("A company receives nothing about another company's drivers", "ASVS 8.4.1", part="demo"),
    29: Promise("A message that is sent twice with one id is delivered once, with the same ack", part="demo"),
    30: Promise("Text with markup is delivered byte for byte", "ASVS 3.2.2", part="demo"),
    31: Promise("A slow consumer is disconnected at its limit, and other clients are not affected", part="delivery"),
    32: Promise(
        "Half-open connections are closed by the heartbeat; a thousand lost at once do not block the event loop"
    ),
    33: Promise("At SIGTERM clients are warned, the server exits with code 0, and clients reconnect"),
    34: Promise("After SIGKILL a thousand clients are back in their rooms, without stored state"),
    35: Promise("Reports that crash, hang or come too fast end with an answer", part="reports"),
    36: Promise("Every log entry is one line of JSON"),
    37: Promise("Metrics and readiness are not on the public port"),
    38: Promise("The installed libraries have no known vulnerabilities", part="deploy"),
    39: Promise("A request with an ambiguous query is refused, and every open connection has all limits"),
    40: Promise("A packet that makes the library forget a connection ends its transport"),
    41: Promise("A flood of frames that carry nothing is closed, and does not block the event loop", "RFC 6455, 5.5.3"),
    42: Promise("Unasked packets, and events after their refusal, are counted; too many close the connection"),
    43: Promise("A peer that does not read cannot keep its connection open, however that ends"),
    44: Promise("TCP connections count from their accept on, and have a deadline for their first request"),
    45: Promise("Plain requests and floods of one address take no connection rate from honest clients"),
    46: Promise("Close frames are checked and answered by the rules", "RFC 6455, 5.5.1, 7.1, 7.4"),
    47: Promise("Users stay and connect while the issuer of keys is away; unknown keys cause few fetches"),
    48: Promise("NaN, infinities and huge or negative times in a token are refused"),
    49: Promise("Nothing is read from a connection after it was refused"),
    50: Promise("A user's sockets stay within their limit over all processes, and an evicted client stays away"),
    51: Promise("The same checks hold below a prefix and on another path"),
    52: Promise(
        "An emit without a room, or a forged message from the channel between processes, reaches nobody", part="cluster"
    ),
    53: Promise(
        "While Redis refuses commands, messages go on; a failover is followed; every kind of URL works", part="cluster"
    ),
    54: Promise("No part of a request forges a log entry, and no token appears in a log or answer", "ASVS 16.2.5"),
    55: Promise("An order of a back end needs its token, a valid body and named rooms", "ASVS 8.2.1, 2.2.1"),
    56: Promise("A user who is disconnected by a back end cannot come back with the same token", "ASVS 7.4.1, 7.4.2"),
    57: Promise("A long-lived task that fails is logged, started again and named by `/readyz`; what it guards is kept"),
    58: Promise("Many reports of one user do not delay the reports of others", part="reports"),
}


class RowTest(NamedTuple):
    """A test of one row of `WITHSTANDS.md`."""

    row: int
    removes_defence: bool
    name: str


def rows_of(function):
    """Yield the row numbers of a test. They come from the name of the test and its `row` markers."""
    named = NAME.match(function.name)
    if named:
        yield from map(int, named[1].split("_and_"))
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.row":
            yield from (row.value for row in decorator.args)


@cache
def tests_of_rows():
    """Return all tests that belong to a row, in order of files."""
    return tuple(_find_tests())


def _find_tests():
    for path in sorted(TESTS.glob("*/test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                named, where = NAME.match(node.name), path.relative_to(TESTS).as_posix()
                for row in rows_of(node):
                    yield RowTest(row, bool(named and named[2]), f"`{where}::{node.name}`")


def lines():
    """Return the lines of the table in `WITHSTANDS.md` by row."""
    table = {}
    for row, promise in PROMISES.items():
        cells = [
            ", ".join(test.name for test in tests_of_rows() if test.row == row and test.removes_defence is removes)
            or "–"
            for removes in (False, True)
        ]
        table[row] = f"| {row} | {promise.text} | {promise.source} | {' | '.join(cells)} |"
    return table


def text():
    """Return the whole text of `WITHSTANDS.md`."""
    return HEAD.format(package=__package__) + "\n".join(lines().values()) + "\n"


def main():
    """Write `WITHSTANDS.md`."""
    LEDGER.write_text(text(), "utf-8")
    return 0
