"""Test that a fix names the other half of the mistake."""

import pytest
from lab.check.result import Options
from lab.check.run import check

from .projects import files_of, write_files

KEEPS = """\
=== server.js
const { Server } = require("socket.io");
const io = new Server(3000);
const people = new Map();
io.on("connection", (socket) => people.set(socket.data.user.id, socket.id));
module.exports = { io, people };
"""
TELLS = 'const {{ io, people }} = require("./server");\n{}'
TELL = 'exports.tell{0} = (user) => io.to(people.get(user)).emit("told{0}");\n'


def fixes(folder, *, tells=0, select=None):
    """Return the first line of each fix, by rule, path and line."""
    text = KEEPS + "".join(f"=== tell{n}.js\n{TELLS.format(TELL.format(n))}" for n in range(tells))
    write_files(folder, files_of(text))
    found = check([folder], Options(select=select)).findings
    return {f"{one.rule} {one.path}:{one.line}": one.fix.partition("\n")[0] for one in found}


@pytest.mark.parametrize(
    ("tells", "places"),
    [
        (1, "tell0.js:2."),
        (2, "tell0.js:2 and tell1.js:2."),
        (3, "tell0.js:2, tell1.js:2 and tell2.js:2."),
        (5, "tell0.js:2, tell1.js:2, tell2.js:2 and 2 more."),
    ],
)
def test_where_ids_are_kept_the_emits_are_named(tmp_path, tells, places):
    assert fixes(tmp_path, tells=tells)["RM011 server.js:4"].endswith(f" Kept ids are used at {places}")


def test_where_ids_are_used_their_store_is_named(tmp_path):
    assert " Socket ids are kept at server.js:4: " in fixes(tmp_path, tells=1)["RM021 tell0.js:2"]


def test_a_place_in_the_same_file_is_a_line(tmp_path):
    (tmp_path / "one.js").write_text(KEEPS.partition("\n")[2] + TELL.format(""))
    [emit] = [one for one in check([tmp_path], Options()).findings if one.rule == "RM021"]
    assert " Socket ids are kept at line 4: " in emit.fix


@pytest.mark.parametrize(("tells", "select"), [(0, None), (1, "RM011")])
def test_without_the_other_half_nothing_is_named(tmp_path, tells, select):
    assert "used at" not in fixes(tmp_path, tells=tells, select=select)["RM011 server.js:4"]
