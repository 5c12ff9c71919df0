"""Tests of the command on files that are hard to read."""

import json
import os
import subprocess
import sys
import time

import pytest
from lab.__main__ import main
from lab.check.parse import javascript
from lab.check.result import Options
from lab.check.run import check

SERVER = """\
import { Server } from "socket.io";
const io = new Server(3000);
const people = new Map();
io.on("connection", (socket) => {
  people.set(socket.data.user.id, socket.id);
});
"""
PYTHON = """\
import socketio

sio = socketio.AsyncServer()
people = {}


@sio.event
async def connect(sid, environ, auth):
    people[verify_token(auth["token"]).id] = sid
"""
# the one finding that is asked for
ERROR = "RM011"


@pytest.fixture
def checked(tmp_path, capsys):
    """Return a function that checks the folder.

    It returns the exit code, the findings and the unreadable paths.
    """

    def run(*arguments):
        code = main(["check", str(tmp_path), "--select", ERROR, "--format", "json", *arguments])
        out, errors = capsys.readouterr()
        report = json.loads(out)
        assert "Traceback" not in errors
        named = [row["path"] for row in report["unreadable"]]
        assert [line.startswith("lab: cannot read ") for line in errors.splitlines()] == [True] * len(named)
        return code, [(row["path"], row["line"]) for row in report["findings"]], named

    return run


BROKEN = {
    "syntax.py": "import socketio\ndef connect(sid:\n",
    "indent.py": "import socketio\nif sio:\nreturn\n",
    "syntax.js": 'const { Server } = require("socket.io");\nconst io = new Server({{{\n',
    "syntax.ts": 'import { Server } from "socket.io";\nclass { socket: ;;; (\n',
    "syntax.jsx": "const a = <div socket={</div>;\n",
    "conflict.js": "<<<<<<< HEAD\nsocket.join(a);\n=======\nsocket.join(b);\n>>>>>>> main\n",
    "python2.py": "import socketio\nprint 'socket'\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_syntax_is_named_and_the_rest_is_checked(checked, tmp_path, name):
    (tmp_path / name).write_text(BROKEN[name])
    (tmp_path / "server.mjs").write_text(SERVER)
    assert checked() == (1, [("server.mjs", 5)], [name])


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--strict",), 1)])
def test_broken_syntax_alone_fails_only_a_strict_check(checked, tmp_path, options, code):
    (tmp_path / "app.py").write_text(BROKEN["syntax.py"])
    assert checked(*options) == (code, [], ["app.py"])


def test_a_broken_line_hides_only_itself(checked, tmp_path):
    (tmp_path / "server.js").write_text(SERVER + "const broken = = 1;\n")
    assert checked() == (1, [("server.js", 5)], ["server.js"])


def test_a_fault_of_the_checker_in_one_file_hides_only_that_file(checked, tmp_path, monkeypatch):
    parse = javascript.parse

    def failing(text, grammar):
        if "faulty" in text:
            raise AssertionError("no such node")
        return parse(text, grammar)

    monkeypatch.setattr(javascript, "parse", failing)
    (tmp_path / "other.js").write_text("const faulty = socket;\n")
    (tmp_path / "server.mjs").write_text(SERVER)
    assert checked() == (1, [("server.mjs", 5)], ["other.js"])


COMMENT = "// café\n"
ENCODED = {
    "latin-1": (COMMENT + SERVER).encode("latin-1"),
    "utf-16": (COMMENT + SERVER).encode("utf-16"),
    "utf-16-be": b"\xfe\xff" + (COMMENT + SERVER).encode("utf-16-be"),
    "utf-8-sig": (COMMENT + SERVER).encode("utf-8-sig"),
    "windows-lines": (COMMENT + SERVER).replace("\n", "\r\n").encode(),
}


@pytest.mark.parametrize("name", ENCODED)
def test_a_file_in_another_encoding_is_checked(checked, tmp_path, name):
    (tmp_path / "server.js").write_bytes(ENCODED[name])
    assert checked() == (1, [("server.js", 6)], [])


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "iso8859-15"])
def test_a_python_file_in_its_declared_encoding_is_checked(checked, tmp_path, encoding):
    (tmp_path / "app.py").write_bytes(f"# coding: {encoding}\n# café\n{PYTHON}".encode(encoding))
    assert checked() == (1, [("app.py", 11)], [])


def test_utf_16_without_a_mark_is_named(checked, tmp_path):
    (tmp_path / "a.js").write_bytes(SERVER.encode("utf-16-le"))
    (tmp_path / "b.js").write_text(SERVER)
    assert checked() == (1, [("b.js", 5)], ["a.js"])


def one_line(text, size):
    """Return a server in one line that data makes long."""
    return f"const data = '{'x' * size}'; " + text.replace("\n", " ") + "\n"


COMMONJS = SERVER.replace('import { Server } from "socket.io"', 'const { Server } = require("socket.io")')


def test_a_line_of_a_megabyte_is_checked(checked, tmp_path):
    text = one_line(COMMONJS, 999_000)
    assert 990_000 < len(text) <= 1_000_000
    (tmp_path / "server.js").write_text(text)
    assert checked() == (1, [("server.js", 1)], [])


def test_a_python_line_of_a_megabyte_is_checked(checked, tmp_path):
    (tmp_path / "app.py").write_text(f"data = '{'x' * 990_000}'\n{PYTHON}")
    assert checked() == (1, [("app.py", 10)], [])


def test_the_report_of_a_huge_line_is_short(tmp_path, capsys):
    (tmp_path / "server.js").write_text(one_line(COMMONJS, 900_000))
    main(["check", str(tmp_path), "--select", ERROR])
    assert len(capsys.readouterr().out) < 5_000


def test_loops_of_links_end(checked, tmp_path):
    inner = tmp_path / "src" / "chat"
    inner.mkdir(parents=True)
    (inner / "server.js").write_text(SERVER)
    (inner / "up").symlink_to(tmp_path / "src")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to("first")
    (tmp_path / "gone").symlink_to("nowhere")
    code, found, _ = checked()
    assert (code, found) == (1, [("src/chat/server.js", 5)])


def test_a_link_of_a_file_to_itself_is_named(checked, tmp_path):
    (tmp_path / "self.js").symlink_to("self.js")
    (tmp_path / "server.js").write_text(SERVER)
    assert checked() == (1, [("server.js", 5)], ["self.js"])


@pytest.mark.parametrize("text", ["", "\n", "\ufeff", "#!/usr/bin/env node\n", "// socket\n"])
def test_empty_files_are_no_finding(checked, tmp_path, text):
    for name in ("a.js", "b.ts", "c.tsx"):
        (tmp_path / name).write_text(text)
    (tmp_path / "d.py").write_text(text.replace("//", "#"))
    assert checked() == (0, [], [])


def test_an_empty_folder_says_that_there_is_no_socket_io(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 0
    out, errors = capsys.readouterr()
    assert out.endswith(f": no Socket.IO in {tmp_path}\n")
    assert errors == ""


def test_a_project_without_socket_io_says_so(tmp_path, capsys):
    (tmp_path / "app.py").write_text("from flask import Flask\n\napp = Flask(__name__)\n")
    (tmp_path / "server.js").write_text('import WebSocket from "ws";\nnew WebSocket("ws://localhost").send("hello");\n')
    assert main(["check", str(tmp_path), "--strict"]) == 0
    assert "no Socket.IO in" in capsys.readouterr().out


# code that is nested deeper than a parser or a recursive function may go
DEEP = {
    "parentheses.js": "socket(" + "(" * 20_000 + "1" + ")" * 20_000 + ")\n",
    "calls.ts": "socket" + "(a" * 5_000 + ")" * 5_000 + "\n",
    "functions.js": "socket.on('a', () => {" * 2_000 + "})" * 2_000 + "\n",
    "lists.js": "const socket = " + "[" * 20_000 + "]" * 20_000 + "\n",
    "chain.js": "socket" + ".to('a')" * 10_000 + ".emit('b')\n",
    "sum.js": "socket" + " + a" * 20_000 + "\n",
    "else.js": "if (socket) {}" + " else if (a) {}" * 5_000 + "\n",
    "html.tsx": "const socket = " + "<a>" * 5_000 + "</a>" * 5_000 + "\n",
    "types.ts": "type Socket = " + "Array<" * 5_000 + "1" + ">" * 5_000 + "\n",
    "template.js": "socket = " + "`${" * 2_000 + "1" + "}`" * 2_000 + "\n",
    "parentheses.py": "socket = " + "(" * 20_000 + "1" + ")" * 20_000 + "\n",
    "attributes.py": "sio" + ".a" * 20_000 + "\n",
    "sum.py": "sid = a" + " + a" * 20_000 + "\n",
    "blocks.py": "".join(" " * n + "if sid:\n" for n in range(90)) + " " * 90 + "pass\n",
    "minus.py": "sid = " + "-" * 20_000 + "1\n",
    "elif.py": "if sid: pass\n" + "elif a: pass\n" * 3_000,
    "lambda.py": "sid = " + "lambda: " * 3_000 + "1\n",
}


# each alone tells which one ends the process; in the quick lane, all are checked at once
DEEP_TOGETHER = [pytest.param([*DEEP], id="together")]
DEEP_ALONE = [pytest.param([name], id=name, marks=pytest.mark.slow) for name in DEEP]


@pytest.mark.parametrize("names", DEEP_TOGETHER + DEEP_ALONE)
def test_deep_nesting_is_checked_or_named(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text(DEEP[name])
    (tmp_path / "server.mjs").write_text(SERVER)
    done = in_a_process(tmp_path, "json")
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
    report = json.loads(done.stdout)
    assert [row["path"] for row in report["findings"]] == ["server.mjs"]
    assert {row["path"] for row in report["unreadable"]} <= {*names}


def in_a_process(folder, form):
    """Run the command in a process of its own.

    A stack that overflows would end the tests.
    """
    command = [sys.executable, "-m", "lab", "check", str(folder), "--select", ERROR, "--format", form]
    return subprocess.run(command, capture_output=True, timeout=50, check=False)


# names that are made of themselves, in valid code
CIRCLES = {
    "field.py": "import socketio\n\nsio = socketio.AsyncServer()\n\n\n@sio.event\n"
    "def connect(sid, environ):\n    user = user.next\n    user.note(sid)\n",
    "server.py": "import socketio\n\nsio = sio.of\nsio.emit('a')\n",
    "field.js": 'const io = require("socket.io")(3000);\nio.on("connection", (socket) => {\n'
    "  const user = user.data;\n  user(socket.id);\n});\n",
}


LONG = "socket" + ".user" * 20 + "\n"


def test_a_long_chain_of_fields_takes_no_time(tmp_path):
    began = time.process_time()
    (tmp_path / "server.js").write_text(SERVER + f"x[1] = {LONG}")
    check([tmp_path], Options(select=ERROR))
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("name", CIRCLES)
def test_a_name_made_of_itself_is_checked(checked, tmp_path, name):
    (tmp_path / name).write_text(CIRCLES[name])
    (tmp_path / "server.mjs").write_text(SERVER)
    assert checked() == (1, [("server.mjs", 5)], [])


def test_a_deep_folder_is_checked(checked, tmp_path):
    deep = tmp_path.joinpath(*["d"] * 200)
    deep.mkdir(parents=True)
    (deep / "server.js").write_text(SERVER)
    assert checked() == (1, [("/".join(["d"] * 200) + "/server.js", 5)], [])


@pytest.mark.parametrize("name", ["with space.js", "naïve.js", "日本.js", "a'b\".js", "[id].js", "-x.js", "a\nb.js"])
def test_any_name_of_a_file_is_reported(checked, tmp_path, name):
    (tmp_path / name).write_text(SERVER)
    assert checked() == (1, [(name, 5)], [])


OTHER_FORMS = [pytest.param(form, marks=pytest.mark.slow) for form in ("text", "sarif", "github")]


@pytest.mark.parametrize("form", ["json", *OTHER_FORMS])
def test_a_name_that_is_no_unicode_is_reported(tmp_path, form):
    path = os.path.join(os.fsencode(tmp_path), b"se\xf1or.js")
    with open(path, "w") as file:
        file.write(SERVER)
    done = in_a_process(tmp_path, form)
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"or.js" in done.stdout


def test_several_hard_files_do_not_hide_each_other(checked, tmp_path):
    for name, text in BROKEN.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "utf16.js").write_bytes(ENCODED["utf-16"])
    (tmp_path / "deep.py").write_text(DEEP["parentheses.py"])
    (tmp_path / "empty.js").write_text("")
    (tmp_path / "app.py").write_text(PYTHON)
    code, found, named = checked()
    assert (code, found) == (1, [("app.py", 9), ("utf16.js", 6)])
    assert set(named) == {*BROKEN, "deep.py"}
