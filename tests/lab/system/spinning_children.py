"""Starts one child process of the lab that spins in C.

It prints the process id of the child, and waits to be killed.

The argument is the kind of child. Each kind stands for one way to start processes in the lab.
"""

import asyncio
import collections
import itertools
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

PID_FILE = Path(os.environ["PID_FILE"])
SPIN = f"""
import collections, itertools, os, pathlib
pathlib.Path({str(PID_FILE)!r}).write_text(str(os.getpid()))
collections.deque(itertools.repeat(None), maxlen=0)
"""
COMMAND = [sys.executable, "-c", SPIN]


def spin():
    PID_FILE.write_text(str(os.getpid()))
    collections.deque(itertools.repeat(None), maxlen=0)


def create_app(settings):
    spin()


async def work():
    spin()


async def run_server():
    from lab.servers.process import Server

    await Server("spinning_children:create_app", {}).start()


async def run_own_process():
    from lab.system.own_process import in_own_process

    await in_own_process(work)


async def run_program():
    from lab.system.child_program import Program

    await Program(COMMAND, PID_FILE.parent).start()


async def run_peer():
    from lab.bench import peers

    async with peers.running(peers.Peer("spinning", "spins", lambda: COMMAND, {})):
        pass


async def run_kernel():
    from lab.lessons.build_notebooks import Notebook

    with tempfile.TemporaryDirectory(dir=PID_FILE.parent) as folder:
        source = Path(folder) / "00_spinning.py"
        source.write_text(f"# %%{SPIN}")
        await Notebook(source).execute(Path(folder))


def announce():
    """Print the process id of the child as soon as it spins."""
    while not (PID_FILE.exists() and PID_FILE.read_text()):
        time.sleep(0.02)
    sys.stdout.write(PID_FILE.read_text() + "\n")
    sys.stdout.flush()


async def run(kind):
    await globals()[f"run_{kind}"]()
    await asyncio.Event().wait()


if __name__ == "__main__":
    threading.Thread(target=announce, daemon=True).start()
    asyncio.run(run(sys.argv[1]))
