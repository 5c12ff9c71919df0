"""Fixtures that run the TypeScript client against the dispatch platform."""

import shutil
import subprocess
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from ... import app
from ..npm import NPM_SECONDS
from ..package import FOLDER
from ..programs import installed
from .link import linked
from .node_client import node_client

CLIENT = FOLDER / "client"
SOURCES = ("realtime.ts", "events.ts")
STRICT = ("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--erasableSyntaxOnly")
TARGET = ("--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom")


@pytest.fixture
def create_app():
    return app.create_app


@pytest.fixture(scope="session")
def compile_client(npm_folder):
    """`compile_client(folder, *files)` compiles copies of the sources and these files.

    It returns what the compiler says. Nothing means that the types are right.
    """

    def run(folder, *files):
        for name in SOURCES:
            shutil.copy(CLIENT / name, folder)
        (folder / "node_modules").symlink_to(npm_folder / "node_modules")
        (folder / "package.json").write_text('{"type": "module"}')
        tsc = npm_folder / "node_modules" / "typescript" / "bin" / "tsc"
        command = [installed("node"), str(tsc), *STRICT, *TARGET, "realtime.ts", *files]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS).stdout

    return run


@pytest.fixture(scope="session")
def script(compile_client, tmp_path_factory):
    """The compiled client, a module of JavaScript."""
    folder = tmp_path_factory.mktemp("client")
    assert compile_client(folder) == ""
    return folder / "realtime.js"


@pytest_asyncio.fixture(loop_scope="session")
async def stack():
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def open_client(script, stack):
    """`await open_client(server, "ana")` connects a client in Node to this server.

    With `link=` it connects through a faulty link. With `token=` it gets its tokens from this function. Other options
    are those of `Realtime`.
    """

    async def start(server, user="ana", role="vendor", *, link=None, token=None, claims=None, **options):
        tokens = token or (lambda: server.token(user, role, **(claims or {})))
        url = (link or server).url
        return await stack.enter_async_context(node_client(script, url, tokens, **options))

    return start


@pytest.fixture
def open_link(stack):
    """`await open_link(server)` starts a link to this server that can be cut."""

    async def start(server):
        return await stack.enter_async_context(linked(server.url))

    return start
