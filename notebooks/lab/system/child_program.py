"""Answers for programs of others beside the servers, a Redis for one: each ends with the lab, however that ends.

A keeper process of the lab's own starts the program and ends it: when it is told to, or when the lab's process is gone.
"""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from lab.system.spawn import process_context, start_process

END_SECONDS = 5.0


class Program:
    """A program that can be started and ended, again and again, in `folder`; what it says goes into a file there.

    `environment` is its whole environment, the lab's own by default.
    """

    def __init__(self, command: Sequence[str], folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._command = tuple(command)
        self._environment = dict(os.environ if environment is None else environment)
        self._folder = folder
        self._log = folder / f"{Path(command[0]).name}.log"
        self._keeper: BaseProcess | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._keeper is not None and self._keeper.is_alive()

    @property
    def lines(self) -> Sequence[str]:
        """What it has said so far."""
        return self._log.read_text(errors="replace").splitlines() if self._log.exists() else []

    @property
    def last_line(self) -> str:
        """The last line that it said."""
        return next((line for line in reversed(self.lines) if line.strip()), "it ended without a word")

    async def start(self) -> None:
        """Returns when it has been started, which is before it is ready."""
        arguments = (self._command, self._environment, str(self._folder), str(self._log))
        self._keeper = process_context().Process(target=_keep, args=arguments, daemon=True)  # type: ignore[attr-defined]
        await start_process(self._keeper)

    async def stop(self) -> None:
        """Ends it as a power cut would."""
        if self._keeper is None or self._keeper.pid is None:
            return
        self._keeper.terminate()
        await asyncio.to_thread(self._keeper.join, END_SECONDS)
        self._keeper = None


def _keep(command: Sequence[str], environment: Mapping[str, str], folder: str, log_path: str) -> None:
    """The keeper's whole life."""
    reading, writing = os.pipe()

    def leave(*_: object) -> None:
        os.write(writing, b".")

    def after(wait: Callable[[], object]) -> None:
        wait()
        leave()

    # before there is anything to end, and by a pipe, which a signal's handler may write to at any moment
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, leave)
    with open(log_path, "ab") as log:
        kept = subprocess.Popen(  # noqa: S603 - the lab's own choice of program
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # a group of its own: a terminal's Ctrl-C is for the lab, and whatever the program starts ends with it
            start_new_session=True,
        )
    parent = multiprocessing.parent_process()
    for wait in (kept.wait, *([parent.join] if parent is not None else [])):
        threading.Thread(target=after, args=(wait,), daemon=True).start()
    os.read(reading, 1)
    if kept.poll() is None:
        os.killpg(kept.pid, signal.SIGKILL)
    kept.wait()
