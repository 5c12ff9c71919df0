"""Test that a fix names the other half of the mistake."""

import pytest
from lab.check.result import Options
from lab.check.run import check

from .projects import files_of, only_finding, write_files

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
        (7, "tell0.js:2, tell1.js:2, tell2.js:2, tell3.js:2, tell4.js:2 and 2 more."),
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


USES = {
    "read": "find(1).then((user) => tell(user.socketId));",
    "written": "find(1).then((user) => { user.socketId = 2; });",
    "filter": "Users.findOne({ socketId: 3 });",
    "update": "Users.updateOne({ id: 4 }, { $set: {\n  socketId: 5 } });",
}


@pytest.mark.parametrize("form", USES)
def test_where_a_field_is_declared_its_uses_are_named(tmp_path, form):
    text = """\
=== users.js
const Users = new Schema({
  name: String,
  socketId: { type: String },
});
=== socket.js
const { Server } = require("socket.io");
const io = new Server(3000);
USE
"""
    finding = only_finding(tmp_path, text.replace("USE", USES[form]), "RM014")
    line = 4 if form == "update" else 3
    assert finding.fix.partition("\n")[0].endswith(f" This name is used at socket.js:{line}.")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("models.ts", "@Entity()\nexport class Users {\n  @Column() public socketId: string;\n}\n"),
        ("models.py", "class Users(db.Model):\n    socketId = db.Column(db.String)\n"),
    ],
)
def test_the_field_of_a_class_has_its_uses_too(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    (tmp_path / f"use{name[6:]}").write_text("print(user.socketId)\n")
    [finding] = check([tmp_path], Options(select="RM014")).findings
    assert finding.fix.partition("\n")[0].endswith(f" This name is used at use{name[6:]}:1.")


def test_other_things_of_this_name_are_not_named(tmp_path):
    text = """\
=== models.py
class Users(db.Model):
    sid = db.Column(db.String)
=== app.py
from flask import request
from flask_socketio import SocketIO, emit
socketio = SocketIO(app)
@socketio.on("who")
def who():
    emit("who", {"sid": request.sid})
    emit("known", find().sid)
"""
    finding = only_finding(tmp_path, text, "RM014")
    assert finding.fix.partition("\n")[0].endswith(" This name is used at app.py:7.")
