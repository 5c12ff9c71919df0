"""Tests that run the front end's snippets as the documents show them."""

import asyncio
import json
import re

import pytest

from ...rooms import user_room
from ..npm import NPM_SECONDS
from ..package import FOLDER
from ..programs import installed
from ..tokens import PRODUCTION
from ..waiting import PROCESS_SECONDS
from ..wire import upgraded

CODE = re.compile(r"```(?:js|ts)\n(.*?)```", re.DOTALL)
DEFAULT_URL = "http://127.0.0.1:8000"
VITE, LAN = "http://localhost:5173", "http://192.168.1.7:5173"
# a login that answers on stdin, so that the test gives each token
LOGIN = """
import { createInterface } from "node:readline";
const asked = [];
createInterface({ input: process.stdin }).on("line", (line) => asked.shift()(JSON.parse(line)));
globalThis.fetch = (address) => new Promise((resolve) => {
  asked.push(({ ok, text }) => resolve({ ok, status: 503, text: async () => text }));
  console.log(`asked for ${address}`);
});
"""

pytestmark = pytest.mark.timeout(2 * NPM_SECONDS)


class Snippet:
    """A snippet of a document that runs in Node. The test answers its requests for tokens."""

    def __init__(self, process):
        self.process, self.lines = process, []

    async def prints(self, text):
        """Wait until a line with this text is printed."""
        async with asyncio.timeout(PROCESS_SECONDS):
            while not any(text in line for line in self.lines):
                line = await self.process.stdout.readline()
                assert line, (await self.process.stderr.read()).decode()
                self.lines.append(line.decode().strip())
        self.lines.clear()

    async def gets_token(self, token):
        """Wait until the snippet asks for a token, and answer. None means that the login fails."""
        await self.prints("asked for /api/realtime-token")
        answer = {"ok": token is not None, "text": token}
        self.process.stdin.write(json.dumps(answer).encode() + b"\n")


@pytest.fixture
def run_snippet(stack):
    """`await run_snippet(folder, code, server)` runs code in Node against this server."""

    async def run(folder, code, server):
        assert DEFAULT_URL in code
        (folder / "login.js").write_text(LOGIN)
        (folder / "snippet.js").write_text('import "./login.js";\n' + code.replace(DEFAULT_URL, server.url))
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
        process = await asyncio.create_subprocess_exec(installed("node"), str(folder / "snippet.js"), **pipes)
        stack.push_async_callback(process.wait)
        stack.callback(process.kill)
        return Snippet(process)

    return run


@pytest.fixture
def modules(npm_folder, tmp_path):
    """A folder with socket.io-client for modules of JavaScript."""
    (tmp_path / "node_modules").symlink_to(npm_folder / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return tmp_path


@pytest.fixture
def readme_snippet():
    [code] = [code for code in CODE.findall((FOLDER / "README.md").read_text("utf-8")) if "socket.io-client" in code]
    return code


async def test_the_readmes_snippet_sends_and_refreshes(serve, clock, connect, run_snippet, modules, readme_snippet):
    server = await serve(clock=clock)
    driver = await connect("driver-1", "driver", to=server)
    snippet = await run_snippet(modules, readme_snippet, server)
    # the login fails once, then gives an expired token: the snippet asks again
    await snippet.gets_token(None)
    old = server.token("ana", life_seconds=60)
    clock.advance(100)
    await snippet.gets_token(old)
    await snippet.gets_token(server.token("ana", life_seconds=600))
    assert (await driver.receives("chat:message"))["text"] == "on my way"
    await snippet.prints("ok: true")
    clock.advance(550)
    await snippet.gets_token(server.token("ana", life_seconds=600))
    await snippet.prints("expires_at")
    await driver.ask("chat:send", {"to": "ana", "text": "thanks"})
    await snippet.prints("thanks")


async def test_the_readmes_snippet_reports_a_refusal(server, run_snippet, modules, readme_snippet):
    snippet = await run_snippet(modules, readme_snippet.replace("console.error", "console.log"), server)
    await snippet.gets_token("forged")
    await snippet.prints("refused: unauthorized")


async def test_the_clients_snippet_joins_and_writes(server, connect, run_snippet, compile_client, tmp_path):
    [code] = CODE.findall((FOLDER / "client" / "README.md").read_text("utf-8"))
    (tmp_path / "use.ts").write_text(code)
    assert compile_client(tmp_path, "use.ts") == ""
    ben = await connect("ben", rooms=["job:17"])
    snippet = await run_snippet(tmp_path, (tmp_path / "use.js").read_text(), server)
    await snippet.gets_token(server.token("ana", rooms=["job:17"]))
    assert (await ben.receives("chat:message"))["text"] == "on my way"
    assert server.members(user_room("ana")) == 1
    await ben.ask("chat:send", {"to": "ana", "text": "thanks"})
    await snippet.prints("ben thanks")


@pytest.mark.parametrize(
    ("headers", "settings", "status"),
    [
        ({"Origin": VITE}, {}, 101),
        ({"Origin": LAN}, {}, 403),
        ({"Origin": LAN}, {"allowed_origins": [LAN]}, 101),
        # a proxy of the dev server keeps the header Host; `changeOrigin` replaces it
        ({"Origin": LAN, "Host": "192.168.1.7:5173"}, {}, 101),
        ({"Origin": VITE}, PRODUCTION, 403),
        ({"Origin": VITE, "Host": "localhost:5173"}, PRODUCTION, 101),
    ],
)
async def test_a_dev_server_gets_403_as_the_documents_say(serve, http, headers, settings, status):
    server = await serve(**settings)
    assert (await upgraded(http, server, **headers))[0] == status
