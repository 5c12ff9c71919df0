"""Test that a fix uses the names of the checked code."""

import re

import pytest
from lab.check.explain import page
from lab.check.result import Options
from lab.check.rules import all_rules
from lab.check.run import check
from lab.check.set_user import lines_that_set_user

from .projects import only_finding
from .test_fixes import LONGEST_CODE

SERVER = """\
const {{ Server }} = require("socket.io");
const io = new Server(3000, {{ maxHttpBufferSize: 1e4 }});
io.use((socket, next) => {{
  {user};
  next();
}});
io.on("connection", (socket) => {{
  socket.on("order:track", (orderId) => {{
    socket.join({room});
  }});
}});
"""
ROOM = "`order:${orderId}`"


def fix_in(folder, *, user="", room=ROOM):
    """Return the fix of a join, as lines of code."""
    finding = only_finding(folder, SERVER.format(user=user, room=room), "RM081", "io.js")
    return finding.fix.split("\n")[1:]


VERIFIED = [
    ("socket.user = verify(socket.handshake.auth.token)", "socket.user"),
    ("socket.userId = verify(socket.handshake.auth.token).sub", "socket.userId"),
    ("socket._id = verify(socket.handshake.auth.token).sub", "socket._id"),
    ("socket.data.user = verify(socket.handshake.auth.token)", "socket.data.user"),
    ("socket.data.userId = verify(socket.handshake.auth.token).sub", "socket.data.userId"),
]


# the client may choose the name of a user, but not the id
NAMED = "socket.user = {{ {key}: verify(socket.handshake.auth.token).sub, name: socket.handshake.auth.name }}"
KEPT = """\
const {{ Server }} = require("socket.io");
const io = new Server(3000, {{ maxHttpBufferSize: 1e4 }});
io.use((socket, next) => {{
  {user};
  next();
}});
const people = new Map();
io.on("connection", (socket) => {{
  socket.on("hello", (name) => people.set(name, socket.id));
}});
function tell(name, text) {{
  io.to(people.get(name)).emit("told", text);
}}
"""


@pytest.mark.parametrize("key", ["id", "_id", "userId", "sub"])
def test_the_users_id_has_the_key_that_middleware_gives_it(tmp_path, key):
    finding = only_finding(tmp_path, KEPT.format(user=NAMED.format(key=key)), "RM021", "io.js")
    join = finding.fix.split("\n")[-1]
    assert join == f'socket.join(`user:${{socket.user.{key}}}`); // in io.on("connection", …): line 8'


def test_an_id_that_the_client_chose_is_not_taken(tmp_path):
    code = fix_in(tmp_path, user="socket.user = { id: socket.handshake.auth.id, name: verify(socket) }")
    assert "mayJoin(socket.data.user, " in code[0]


def test_a_connect_handler_in_another_file_has_its_path(tmp_path):
    head, tail = KEPT.format(user=VERIFIED[0][0]).split("function tell", 1)
    (tmp_path / "server.js").write_text(f"{head}module.exports = {{ io, people }};\n")
    finding = only_finding(
        tmp_path, f'const {{ io, people }} = require("./server");\nfunction tell{tail}', "RM021", "tell.js"
    )
    assert finding.fix.endswith('// in io.on("connection", …): server.js:8')


def test_of_two_connect_handlers_none_is_named(tmp_path):
    text = KEPT.format(user=VERIFIED[0][0]) + 'io.on("connection", (socket) => greet(socket));\n'
    finding = only_finding(tmp_path, text, "RM021", "io.js")
    assert finding.fix.endswith('// in io.on("connection", …)')


def test_the_column_is_that_of_the_room(tmp_path):
    finding = only_finding(tmp_path, KEPT.format(user=VERIFIED[0][0]), "RM021", "io.js")
    assert finding.column == len("  io.to(") + 1


@pytest.mark.parametrize(("user", "name"), VERIFIED)
def test_the_user_has_the_name_that_middleware_gives_it(tmp_path, user, name):
    assert fix_in(tmp_path, user=user)[0].startswith(f"if (!(await mayJoin({name}, orderId))) return;")


def test_a_user_that_the_client_names_is_not_taken(tmp_path):
    code = fix_in(tmp_path, user="socket.userId = socket.handshake.query.userId")
    assert "mayJoin(socket.data.user, " in code[0]
    assert any(line.startswith("io.use(") for line in code)


@pytest.mark.parametrize("user", [user for user, _ in VERIFIED])
def test_a_user_that_is_set_needs_no_middleware(tmp_path, user):
    assert not any("io.use(" in line for line in fix_in(tmp_path, user=user))


@pytest.mark.parametrize("select", ["RM021", "RM101"])
def test_the_socket_has_the_name_of_the_connect_handler(tmp_path, select):
    text = KEPT.format(user="setUser(socket)").replace('"connection", (socket)', '"connection", (player)')
    (tmp_path / "io.js").write_text(
        text.replace("socket.on(", "player.on(").replace("name, socket.id", "name, player.id")
    )
    [finding] = check([tmp_path], Options(select=select)).findings
    code = "\n".join(finding.fix.split("\n")[1:])
    assert "player.data.user" in code
    assert "socket." not in code.replace('"socket.io"', "")


def test_two_names_of_a_socket_are_not_taken(tmp_path):
    text = KEPT.format(user=VERIFIED[0][0]) + 'io.of("/x").on("connection", (player) => player.join("all"));\n'
    finding = only_finding(tmp_path, text, "RM021", "io.js")
    assert "socket.join(" in finding.fix


JOINS = {
    "socket.join(`user_${socket.user.id}`)": "user_${userId}",
    'socket.join("u/" + socket.user.id + "/all")': "u/${userId}/all",
    "socket.join(socket.user.id)": "${userId}",
    "socket.join(roomOf(socket.user.id))": "person-${userId}",
    "socket.join(`app:user:${socket.user.id}`)": "app:user:${userId}",
    "socket.join(`user:${socket.user.id}:main`)": "user:${userId}:main",
    "socket.join(socket.user.id.toString())": "${userId}",
    "if (socket.user) socket.join(`user:${socket.user.id}`)": "user:${userId}",
}


@pytest.mark.parametrize("join", JOINS)
def test_a_room_that_each_connection_joins_is_used(tmp_path, join):
    text = KEPT.format(user=VERIFIED[0][0]).replace("  socket.on(", f"  {join};\n  socket.on(")
    finding = only_finding(tmp_path, text + "const roomOf = (id) => `person-${id}`;\n", "RM021", "io.js")
    code = finding.fix.split("\n")[1:]
    room = join.partition("socket.join(")[2].removesuffix(")")
    assert code == [
        f'io.to(`{JOINS[join]}`).emit("event", data);',
        f"// each connection joins {room} already: line 9",
    ]


OTHER_JOINS = {
    "team": "socket.join(`team:${socket.user.teamId}`)",
    "some": 'if (socket.user.role === "driver") socket.join(`driver:${socket.user.id}`)',
    "pair": "socket.join(`${socket.user.id}-${socket.user.friendId}`)",
    "two": "socket.join(`user:${socket.user.id}`);\n  socket.join(`mail:${socket.user.id}`)",
    "chosen": "socket.join(`user:${socket.handshake.query.user}`)",
    "shared": "socket.join(`company:${socket.handshake.query.company}`)",
    "in-an-event": 'socket.on("login", () => socket.join(`user:${socket.user.id}`))',
}


@pytest.mark.parametrize("join", OTHER_JOINS)
def test_no_other_room_is_taken_for_the_users_own(tmp_path, join):
    text = KEPT.format(user=VERIFIED[0][0]).replace("  socket.on(", f"  {OTHER_JOINS[join]};\n  socket.on(")
    finding = only_finding(tmp_path, text, "RM021", "io.js")
    assert "socket.join(`user:${socket.user.id}`); // in io.on" in finding.fix


KINDS = {
    "userId": "own",
    "data.user._id": "own",
    "`user:${driverId}`": "own",
    "conversationId": "shared",
    "`order:${id}`": "shared",
    "data.room": "shared",
    "`rider:${riderId}`": "own",
    "`${userId}-${friendId}`": "unclear",
    "[userId, friendId].sort().join()": "unclear",
    "`team-${data.teamId}`": "unclear",
    "id": "unclear",
    "name": "unclear",
}


@pytest.mark.parametrize("room", KINDS)
def test_the_fix_of_a_join_is_for_the_kind_of_the_room(tmp_path, room):
    names = ", ".join(dict.fromkeys(re.findall(r"data|(?<![.\w])\w*[iI]d\b|name", room)))
    finding = only_finding(
        tmp_path, SERVER.format(user="setUser(socket)", room=room).replace("(orderId)", f"({names})"), "RM081", "io.js"
    )
    assert ("mayJoin(" in finding.fix.partition("\n")[2]) == (KINDS[room] != "own")
    assert ("socket.join(`user:" in finding.fix) == (KINDS[room] != "shared")


READS_USER = [
    pytest.param(rule, api, id=f"{rule.id}-{api}")
    for rule in all_rules()
    for api in ("node", "nest")
    if ".data.user" in "".join(rule.fix.get(api, "").partition("\n")[2])
]


@pytest.mark.parametrize(("rule", "api"), READS_USER)
def test_a_fix_that_reads_the_user_says_what_sets_it(rule, api):
    code = rule.fix[api].partition("\n")[2]
    added = lines_that_set_user(code, api)
    [setter] = [name for name in ("data.user = user", "verifyToken") if name in code + added]
    assert (added == "") == (setter in code)
    assert added.strip() in page(rule, api=api).replace("\n    ", "\n")
    assert all(len(line) <= LONGEST_CODE for line in added.split("\n"))


# what the check of a join asks about: what the client chose of the room
CHOSEN = [
    ("orderId", "orderId"),
    ("`a(${orderId})`", "orderId"),
    ("`a:${orderId.trim()}:b`", "orderId.trim()"),
    ("`a:${orderId}:${orderId}`", "`a:${orderId}:${orderId}`"),
    ('String("b" + orderId)', 'String("b" + orderId)'),
]


@pytest.mark.parametrize(("room", "chosen"), CHOSEN)
def test_the_check_of_a_join_asks_about_the_clients_part(tmp_path, room, chosen):
    assert f"mayJoin(socket.data.user, {chosen})" in fix_in(tmp_path, room=room)[0]


@pytest.mark.parametrize("room", [room for room, _ in CHOSEN])
def test_the_check_of_an_emit_asks_about_the_whole_room(tmp_path, room):
    text = SERVER.format(user="setUser(socket)", room="x").replace("socket.join(x)", f"io.to({room}).emit('moved')")
    finding = only_finding(tmp_path, text, "RM083", "io.js")
    assert f"socket.rooms.has({room})" in finding.fix


def test_a_long_room_is_not_copied(tmp_path):
    long = f"`{'x' * 60}${{orderId}}`"
    assert "mayJoin(socket.data.user, room)" in fix_in(tmp_path, room=long)[0]
