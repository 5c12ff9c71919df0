"""Test the command with the real analysis and rules, on small servers."""

import json

import pytest
from lab.__main__ import main
from lab.check.rules.rm061 import RULE

NODE = """\
const { Server } = require("socket.io");
const io = new Server(3000, { maxHttpBufferSize: 1e4 });
const ids = new Map();
io.use(verifyToken);
io.use(rateLimit);
io.on("connection", (socket) => {
  /*
   * lab: ignore[RM011] the test needs an id in a map
   */
  ids.set(socket.data.user.id, socket.id);
  socket.join(`user:${socket.data.user.id}`);
  io.to(ids.get("a")).emit("hello", 1); // lab: ignore[RM021] shown in the lesson
  io.to(ids.get("b")).emit("hello", 2);
});
"""
PYTHON = """\
import socketio

sio = socketio.AsyncServer(async_mode="asgi", max_http_buffer_size=10_000)


@sio.event
async def connect(sid, environ, auth):
    user = verify(auth["token"])
    sio.enter_room(sid, f"user:{user}")
"""


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Return a function that checks the working folder."""
    monkeypatch.chdir(tmp_path)

    def check(*arguments):
        code = main(["check", ".", *arguments])
        return code, *capsys.readouterr()

    return check


def test_a_node_server_is_checked(check, tmp_path):
    (tmp_path / "io.js").write_text(NODE)
    code, out, errors = check("--select", "RM000,01,02")
    assert (code, errors) == (1, "")
    assert out.startswith("io.js:13:9 RM021 error  ")
    assert "      io.to(`user:${userId}`).emit(" in out
    assert "01 stored socket ids         nothing more: 1 suppressed\n" in out
    assert "02 emit to a socket id       found: 1 error (RM021), 1 suppressed\n" in out


def test_a_question_is_one_in_sarif(check, tmp_path):
    (tmp_path / "io.js").write_text(RULE.snippets["node"].bad)
    (tmp_path / "ids.js").write_text(NODE)
    _, out, _ = check("--select", f"{RULE.id},RM021", "--format", "sarif")
    texts = {row["ruleId"]: row["message"]["text"] for row in json.loads(out)["runs"][0]["results"]}
    assert "? Measured on two example servers " in texts[RULE.id]
    assert ". Measured on two example servers " in texts["RM021"]


def test_a_python_server_is_checked(check, tmp_path):
    (tmp_path / "app.py").write_text(PYTHON)
    code, out, _ = check("--select", "03")
    assert (code, out.startswith("app.py:9:5 RM032 error  ")) == (1, True)
    assert "      await sio.enter_room(sid, room)\n" in out


def test_broken_files_are_named_and_the_rest_is_checked(check, tmp_path):
    (tmp_path / "app.py").write_text(PYTHON)
    (tmp_path / "bad.py").write_text("import socketio\ndef f(:\n")
    (tmp_path / "bad.ts").write_text('import { Server } from "socket.io";\nx = {{{ (\n')
    code, out, errors = check("--select", "03", "--format", "json")
    found = json.loads(out)
    assert (code, found["files"], len(found["findings"])) == (1, 3, 1)
    assert [row["path"] for row in found["unreadable"]] == ["bad.py", "bad.ts"]
    assert errors.splitlines()[0] == "lab: cannot read bad.py: line 2: invalid syntax"


def test_a_folder_without_socket_io_says_so(check, tmp_path):
    (tmp_path / "app.js").write_text("export const sum = (a, b) => a + b;\n")
    code, out, errors = check()
    assert (code, errors) == (0, "")
    assert out.endswith(": no Socket.IO in .\n")


def test_a_removed_join_is_reported_in_real_code(check, tmp_path, git_here):
    (tmp_path / "io.js").write_text(NODE)
    git_here("add", ".")
    git_here("commit", "-m", "first")
    (tmp_path / "io.js").write_text(NODE.replace("  socket.join(`user:${socket.data.user.id}`);\n", ""))
    code, out, _ = check("--since", "HEAD", "--format", "json")
    [finding] = json.loads(out)["findings"]
    assert (code, finding["rule"], finding["line"]) == (0, "RM030", 10)
    assert finding["message"].startswith("`socket.join(`user:${socket.data.user.id}`)` was removed")
