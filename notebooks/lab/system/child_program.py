"""Runs external programs, for example Redis, as child processes.

A program ends when the lab ends, even if the lab is killed. For this, a keeper process starts the program. The keeper
kills the program when the lab requests it, or when the lab's process is gone. If the keeper itself is killed, the
operating system kills the program (only on Linux).
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

from lab.system.end_with_parent import ending_with_parent
from lab.system.spawn import process_context, start_process

STOP_SECONDS = 5.0


class Program:
    """An external program that can be started and stopped repeatedly.

    The program runs in `folder`, and writes its output to a log file there. `environment` contains all environment
    variables of the program; the default is the environment of the lab.
    """

    def __init__(self, command: Sequence[str], folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._command = tuple(command)
        self._environment = dict(os.environ if environment is None else environment)
        self._folder = folder
        self._log = folder / f"{Path(command[0]).name}.log"
        self._keeper: BaseProcess | None = None

    @property
    def is_running(self) -> bool:
        """Whether the program was started and has not ended."""
        return self._keeper is not None and self._keeper.is_alive()

    @property
    def lines(self) -> Sequence[str]:
        """All lines that the program has written to its log file."""
        return self._log.read_text(errors="replace").splitlines() if self._log.exists() else []

    @property
    def last_line(self) -> str:
        """The last line of the program's output that is not blank.

        If all lines are blank, the value is the text `it ended without output`.
        """
        return next((line for line in reversed(self.lines) if line.strip()), "it ended without output")

    async def start(self) -> None:
        """Starts the program, but does not wait until it is ready."""
        arguments = (self._command, self._environment, str(self._folder), str(self._log))
        self._keeper = process_context().Process(target=_run_keeper, args=arguments, daemon=True)  # type: ignore[attr-defined]
        await start_process(self._keeper)

    async def stop(self) -> None:
        """Kills the program, without a graceful shutdown."""
        if self._keeper is None or self._keeper.pid is None:
            return
        self._keeper.terminate()
        await asyncio.to_thread(self._keeper.join, STOP_SECONDS)
        if self._keeper.is_alive():
            self._keeper.kill()
        self._keeper = None


def _run_keeper(command: Sequence[str], environment: Mapping[str, str], folder: str, log_path: str) -> None:
    """Main function of the keeper process: starts and later kills a program.

    The keeper kills the program on SIGTERM, or when the lab's process is gone.
    """
    reading, writing = os.pipe()

    def request_end(*_: object) -> None:
        os.write(writing, b".")

    def request_end_after(wait: Callable[[], object]) -> None:
        wait()
        request_end()

    # set before the program starts; a pipe, because a signal handler may write to it at any moment
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, request_end)
    with open(log_path, "ab") as log:
        program = subprocess.Popen(  # noqa: S603 - the lab chooses the program
            ending_with_parent(command),
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # a separate process group: Ctrl-C in a terminal goes only to the lab, and the program's children are killed
            # with it
            start_new_session=True,
        )
    parent = multiprocessing.parent_process()
    for wait in (program.wait, *([parent.join] if parent is not None else [])):
        threading.Thread(target=request_end_after, args=(wait,), daemon=True).start()
    os.read(reading, 1)
    if program.poll() is None:
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()
