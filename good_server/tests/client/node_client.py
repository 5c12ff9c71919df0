"""Run the TypeScript client in Node, and see what it does."""

import asyncio
import json
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from ..programs import installed
from ..waiting import PROCESS_SECONDS

DRIVER = Path(__file__).with_name("driver.mjs")
# a test does not wait for the pauses of real networks
FAST = {"firstBackoffMs": 20, "mostBackoffMs": 100}


async def answered(*questions):
    """Return the answers to these questions; for one question, its answer."""
    answers = await asyncio.wait_for(asyncio.gather(*questions), PROCESS_SECONDS)
    return answers if len(questions) > 1 else answers[0]


class NodeClient:
    """One client in a process of Node.

    `token` is a function that returns the next token, or None for a failure. It may be replaced at any time. While it
    returns `NO_REPLY`, the client waits for its token.
    """

    NO_REPLY = object()

    def __init__(self, process, token):
        self.process, self.token, self.tokens = process, token, 0
        # everything that has happened, oldest first
        self.states, self.messages, self.lost_rooms = [], [], []
        self._answers, self._ids, self._news = {}, count(), asyncio.Condition()
        self._reading = asyncio.ensure_future(self._read())

    @property
    def status(self):
        return self.states[-1]["status"] if self.states else "paused"

    def do(self, what, **arguments):
        """Send a command. Return a future of its answer, if it has one."""
        id = next(self._ids)
        self._answers[id] = asyncio.get_running_loop().create_future()
        self.process.stdin.write(json.dumps({"do": what, "id": id, **arguments}).encode() + b"\n")
        return self._answers[id]

    def start(self, event, payload, **how):
        """Ask without waiting for the answer. Return its future."""
        return self.do("ask", event=event, payload=payload, how=how)

    async def ask(self, event, payload, **how):
        return await answered(self.start(event, payload, **how))

    async def join(self, room):
        return await answered(self.do("join", room=room))

    async def leave(self, room):
        return await answered(self.do("leave", room=room))

    async def until(self, condition):
        """Wait until `condition()` is true. It is tested again after each thing that happens."""
        async with asyncio.timeout(PROCESS_SECONDS), self._news:
            await self._news.wait_for(condition)

    async def is_online(self, times=1):
        """Wait until the client is online, and was so `times` times."""
        await self.until(lambda: self.status == "online" and self.count("online") >= times)

    async def is_stopped(self, reason):
        await self.until(lambda: self.status == "stopped")
        assert self.states[-1]["reason"] == reason

    def count(self, status):
        return [state["status"] for state in self.states].count(status)

    def texts(self):
        """Return the texts of the received chat messages."""
        return [message["text"] for event, message in self.messages if event == "chat:message"]

    async def _read(self):
        while line := await self.process.stdout.readline():
            happened = json.loads(line)
            kind = happened.pop("kind")
            if kind == "token":
                self.tokens += 1
                self.give(self.token())
            elif kind == "state":
                self.states.append(happened)
            elif kind == "message":
                self.messages.append((happened["event"], happened["message"]))
            elif kind == "lost room":
                self.lost_rooms.append(happened)
            elif kind == "answer":
                self._answers[happened["id"]].set_result(happened["answer"])
            async with self._news:
                self._news.notify_all()

    def give(self, token):
        """Answer the oldest open question for a token. None is a failure."""
        if token is not self.NO_REPLY:
            self.do("token", token=token)

    async def end(self):
        """End the process, and check that it wrote no error."""
        self.process.stdin.close()
        _, errors = await asyncio.wait_for(asyncio.gather(self._reading, self.process.stderr.read()), PROCESS_SECONDS)
        await asyncio.wait_for(self.process.wait(), PROCESS_SECONDS)
        assert (self.process.returncode, errors.decode()) == (0, "")


@asynccontextmanager
async def node_client(script, url, token, **options):
    """Start a client, connect it, and yield it. `options` are those of `Realtime`."""
    chosen = json.dumps(FAST | {"url": url} | options)
    process = await asyncio.create_subprocess_exec(
        installed("node"),
        *(str(DRIVER), str(script), chosen),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    client = NodeClient(process, token)
    try:
        client.do("connect")
        yield client
        await client.end()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        client._reading.cancel()
