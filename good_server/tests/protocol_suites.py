"""Runs the protocol suites against this server and python-socketio.

`python -m good_server.tests protocol-suites FOLDER [FOLDER]` takes working copies of the repositories
`socketio/engine.io-protocol` and `socketio/socket.io-protocol`. Nothing of them is kept. It needs Node.js with npm.
"""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .server_processes import running_child

KINDS = ("good", "stock")
PACKAGES = ("chai@4", "chai-string@1", "mocha@9", "node-fetch@3", "ws@8.18")
FILES = ("test-suite.js", "node-imports.js", "package.json")
INSTALL_SECONDS, SUITE_SECONDS = 300, 300
# the heartbeats of the suites allow 0.2 s, which a busy machine may miss
RETRIES = 2
# Browsers deliver each message in a task of its own, and the suites rely on it: they wait for a message only after the
# one before. The package `ws` delivers all messages of a TCP segment in one task, unless this option is off.
ONE_MESSAGE_PER_TASK = """
globalThis.WebSocket = class extends WebSocket {
  constructor(url) {
    super(url, { allowSynchronousEvents: false });
  }
};
"""
# what the suites expect to find, and what stands there instead
SERVER = "http://localhost:3000"
PATHS = ("/engine.io/", "/socket.io/")
# tests of what the server does not offer: long polling, the upgrade from it, and binary payloads
POLLING = ("HTTP long-polling", "upgrade")
BINARY = "binary"


def suite_of(folder):
    """Return which suite the folder holds, `engine` or `socket`. Raises `SystemExit` when it holds none."""
    file = folder / "test-suite" / FILES[0]
    if not file.is_file():
        sys.exit(f"{folder} is no copy of socketio/engine.io-protocol or socketio/socket.io-protocol")
    return "socket" if 'describe("Socket.IO protocol"' in file.read_text("utf-8") else "engine"


@contextmanager
def prepared(folder):
    """Yield a temporary copy of the suite with its npm packages."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in FILES:
            shutil.copy(folder / "test-suite" / name, scratch)
        with (Path(scratch) / FILES[1]).open("a") as imports:
            imports.write(ONE_MESSAGE_PER_TASK)
        # the suite's own list has a formatter, too, which nothing here needs
        package = json.loads((Path(scratch) / FILES[2]).read_text("utf-8"))
        package.pop("devDependencies", None)
        (Path(scratch) / FILES[2]).write_text(json.dumps(package), "utf-8")
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", *PACKAGES]
        subprocess.run(command, cwd=scratch, check=True, timeout=INSTALL_SECONDS, stdout=subprocess.DEVNULL)
        yield Path(scratch)


async def outcome(scratch, suite, kind):
    """Run one suite against one server. Return the names of the passed and of the failed tests."""
    async with running_child("protocol_server", kind, suite, str(scratch / f"{kind}.log")) as server:
        url = json.loads(await server.line())
        text = (scratch / FILES[0]).read_text("utf-8").replace(SERVER, url).replace(*PATHS)
        (scratch / f"{kind}.js").write_text(text, "utf-8")
        options = ["--exit", "--retries", str(RETRIES), "--reporter", "json", f"{kind}.js"]
        process = await asyncio.create_subprocess_exec(
            "node", "node_modules/mocha/bin/mocha", *options, cwd=scratch, stdout=asyncio.subprocess.PIPE
        )
        try:
            written, _ = await asyncio.wait_for(process.communicate(), SUITE_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
        found = json.loads(written)
        return {test["fullTitle"] for test in found["passes"]}, {test["fullTitle"] for test in found["failures"]}


def write(line, *tests):
    sys.stdout.write("\n    ".join([line, *tests]) + "\n")


def is_websocket(test):
    return not any(word in test for word in POLLING)


async def compare(folder):
    """Write the counts of one suite. Return the tests that only python-socketio passes, without binary ones."""
    suite = suite_of(folder)
    passed, tests = {}, set()
    with prepared(folder) as scratch:
        for kind in KINDS:
            passes, failures = await outcome(scratch, suite, kind)
            passed[kind] = set(filter(is_websocket, passes))
            tests |= set(filter(is_websocket, passes | failures))
    write(f"{suite}.io: {len(tests)} tests over WebSocket")
    for kind in KINDS:
        write(f"  {kind} passes {len(passed[kind])}, fails {len(tests - passed[kind])}", *sorted(tests - passed[kind]))
    lost = passed["stock"] - passed["good"]
    write(f"  binary, refused here by design: {len([test for test in lost if BINARY in test])}")
    return sorted(test for test in lost if BINARY not in test)


async def run(folders):
    lost = [test for folder in folders for test in await compare(folder)]
    write(f"{len(lost)} tests pass with python-socketio and fail here", *lost)
    return 1 if lost else 0


def main(*arguments):
    parser = argparse.ArgumentParser(prog="protocol-suites", description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        sys.exit(f"this needs Node.js with npm: {missing[0]} is not on the PATH")
    return asyncio.run(run(parser.parse_args(arguments).folders))
