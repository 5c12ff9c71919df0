"""Tests that code of pages has no findings."""

import json

import pytest

from .projects import found_in, write_files

# as a page may keep the ids that its server sends
CODE = """\
const players = new Map();
export function listen(socket) {
  socket.on("connect", () => players.set("me", socket.id));
}
"""
SERVER = """\
import { Server } from "socket.io";
import { listen } from "./listen.js";
const io = new Server(3000);
io.on("connection", (socket) => listen(socket));
"""
FILES = {"app/listen.js": CODE, "app/main.js": SERVER.replace("socket.io", "./sockets.js")}


def package(*names, group="dependencies"):
    """Return a `package.json` that lists these packages."""
    return json.dumps({"name": "socket.io", group: dict.fromkeys(names, "*")})


PAGE = package("socket.io-client")
# what else is in the folder, and whether `listen.js` is the code of a page
PACKAGES = {
    "page": ({"app/package.json": PAGE}, True),
    "above": ({"package.json": PAGE}, True),
    "for-development": ({"app/package.json": package("socket.io-client", group="devDependencies")}, True),
    "none": ({}, False),
    "another-folder": ({"web/package.json": PAGE}, False),
    "server-too": ({"app/package.json": package("socket.io-client", "@nestjs/websockets")}, False),
    "server-above": ({"app/package.json": PAGE, "package.json": package("socket.io")}, False),
    "no-json": ({"app/package.json": "{"}, False),
    "no-object": ({"app/package.json": '["socket.io-client"]'}, False),
}


@pytest.mark.parametrize("form", PACKAGES)
def test_code_of_a_page_has_no_findings(tmp_path, form):
    packages, is_page = PACKAGES[form]
    write_files(tmp_path, FILES | packages)
    found = found_in(tmp_path, select="RM011")
    assert found == (set() if is_page else {("app/listen.js", 3, "RM011")})


def test_a_file_that_imports_a_server_is_no_page(tmp_path):
    write_files(tmp_path, {"package.json": PAGE, "main.js": SERVER.replace("listen(socket)", "ids.push(socket.id)")})
    (tmp_path / "main.js").write_text("const ids = [];\n" + (tmp_path / "main.js").read_text())
    assert found_in(tmp_path, select="RM011") == {("main.js", 5, "RM011")}


def test_a_python_server_beside_a_page_is_checked(tmp_path):
    server = (
        "import socketio\n\nsio = socketio.AsyncServer()\npeople = {}\n\n\n"
        '@sio.event\nasync def connect(sid, environ):\n    people[environ["user"]] = sid\n'
    )
    write_files(tmp_path, {"package.json": PAGE, "app.py": server})
    assert found_in(tmp_path, select="RM011") == {("app.py", 9, "RM011")}
