"""Answers for the parent of several server processes: starts them, watches over them, renews and ends them.

It serves nobody and has no event loop and no thread, so that it may fork whenever a child is missing.
"""

import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from urllib.parse import urlsplit

from ..lifecycle import Addresses
from ..observability import log
from ..settings import Settings
from ..cluster.child_process import Create, be_child

# a child that dies as soon as it is started would otherwise keep the whole machine busy
RESTART_SECONDS = 1.0
# over what a child gives its goodbyes: it then closes transports, ports and the workers of reports
CLOSE_SECONDS = 5.0


@dataclass(slots=True)
class Worker:
    """One child process, and what is known of it; times are seconds of the monotonic clock."""

    number: int
    settings: Settings
    pid: int | None = None
    # while there is no process: when one may be started
    start_at: float = 0.0
    # once the process was told to end: when it is killed
    kill_at: float = math.inf
    # on which it says that it is ready, or why not
    pipe: int | None = None
    addresses: Addresses | None = None
    error: str | None = None


class Parent:
    """A context, at whose end none of the children is left."""

    def __init__(
        self, workers: Sequence[Worker], create: Create, announce: Callable[[Sequence[Addresses]], None]
    ) -> None:
        self._workers, self._create, self._announce = workers, create, announce
        self._to_renew: list[Worker] = []
        self._is_announced = self._is_ending = False
        self._failure: str | None = None
        self._had_terminal = _has_terminal()

    def __enter__(self) -> "Parent":
        # nothing is ever written: the children read its end
        self._life, self._lives = os.pipe()
        self._wakes, self._waker = os.pipe()
        os.set_blocking(self._wakes, False)
        os.set_blocking(self._waker, False)
        heard = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        # handlers that do nothing, as the number of the signal goes into the pipe
        self._former = {number: signal.signal(number, lambda *_: None) for number in heard}
        self._former_waker = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            if worker.pid is not None:
                os.kill(worker.pid, signal.SIGKILL)
                os.waitpid(worker.pid, 0)
        signal.set_wakeup_fd(self._former_waker)
        for number, handler in self._former.items():
            signal.signal(number, handler)
        for pipe in (self._life, *self._own_pipes()):
            os.close(pipe)

    def watch(self) -> None:
        """Returns after a signal, when all have ended; raises `OSError` when one fails before all were ready."""
        while not self._is_ending or any(worker.pid is not None for worker in self._workers):
            for worker in self._workers:
                self._look_at(worker)
            self._go_on()
            self._wait()
        if self._failure is not None:
            raise ChildProcessError(self._failure)

    def _look_at(self, worker: Worker) -> None:
        now = time.monotonic()
        if worker.pid is None:
            if not self._is_ending and now >= worker.start_at:
                self._start(worker, now)
            return
        # in this order, so that the last words of one that ended are heard
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        self._hear(worker)
        if pid:
            self._lose(worker, os.waitstatus_to_exitcode(status))
        elif now >= worker.kill_at:
            log.warning("worker killed", worker=worker.number)
            worker.kill_at = now + CLOSE_SECONDS
            os.kill(worker.pid, signal.SIGKILL)

    def _start(self, worker: Worker, now: float) -> None:
        worker.start_at, worker.error = now + RESTART_SECONDS, None
        worker.pipe, say = os.pipe()
        os.set_blocking(worker.pipe, False)
        # else the child would write them again
        sys.stdout.flush()
        sys.stderr.flush()
        # a signal between the fork and the child's own handlers would be lost, or told to the parent twice
        signal.pthread_sigmask(signal.SIG_BLOCK, self._former)
        try:
            worker.pid = os.fork()
            if worker.pid == 0:
                for pipe in self._own_pipes():
                    os.close(pipe)
                be_child(worker.number, worker.settings, self._create, say, self._life)
        except OSError as error:
            worker.error = f"cannot start a process: {error.strerror}"
            self._lose(worker, None)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._former)
            os.close(say)

    def _own_pipes(self) -> Iterator[int]:
        yield from (self._lives, self._wakes, self._waker)
        yield from (worker.pipe for worker in self._workers if worker.pipe is not None)

    def _hear(self, worker: Worker) -> None:
        said = _read(worker.pipe) if worker.pipe is not None else None
        if said is None:
            return
        self._hang_up(worker)
        words = json.loads(said or b"{}")
        worker.error = words.get("error")
        if "public" not in words:
            return
        worker.addresses = Addresses(**words)
        # started again it is found where it was
        port = urlsplit(worker.addresses.internal).port
        worker.settings = worker.settings.model_copy(update={"internal_port": port})
        if self._is_announced:
            log.info("worker ready", worker=worker.number, process=worker.pid, internal=worker.addresses.internal)

    def _hang_up(self, worker: Worker) -> None:
        if worker.pipe is not None:
            os.close(worker.pipe)
            worker.pipe = None

    def _lose(self, worker: Worker, code: int | None) -> None:
        was_told = worker.kill_at < math.inf
        worker.pid, worker.addresses, worker.kill_at = None, None, math.inf
        self._hang_up(worker)
        if self._is_ending or was_told:
            return
        if self._is_announced:
            log.error("worker ended", worker=worker.number, exit_code=code, error=worker.error)
            return
        self._failure = worker.error or f"worker {worker.number} ended at its start with exit code {code}"
        self._end()

    def _end(self) -> None:
        self._is_ending = True
        for worker in self._workers:
            self._tell_to_end(worker)

    def _tell_to_end(self, worker: Worker) -> None:
        if worker.pid is None or worker.kill_at < math.inf:
            return
        worker.addresses = None
        worker.kill_at = time.monotonic() + worker.settings.shutdown_seconds + CLOSE_SECONDS
        os.kill(worker.pid, signal.SIGTERM)

    def _go_on(self) -> None:
        """What is next, once all children are ready."""
        ready = [worker.addresses for worker in self._workers if worker.addresses is not None]
        if self._is_ending or len(ready) < len(self._workers):
            return
        if not self._is_announced:
            self._is_announced = True
            self._announce(ready)
        if self._to_renew:
            self._tell_to_end(self._to_renew.pop(0))

    def _wait(self) -> None:
        """Until a signal, which it obeys, a child's word, or the time at which something is due."""
        due = [worker.kill_at for worker in self._workers if worker.pid is not None]
        if not self._is_ending:
            due += [worker.start_at for worker in self._workers if worker.pid is None]
        seconds = min(due, default=0.0) - time.monotonic()
        speaking = [worker.pipe for worker in self._workers if worker.pipe is not None]
        wait([self._wakes, *speaking], None if math.isinf(seconds) else max(0.0, seconds))
        for number in _read(self._wakes) or b"":
            if number in (signal.SIGTERM, signal.SIGINT) or (number == signal.SIGHUP and self._lost_terminal()):
                self._end()
            elif number == signal.SIGHUP:
                self._to_renew = list(self._workers)

    def _lost_terminal(self) -> bool:
        # a terminal that closes says SIGHUP too, and means the end; not so where `nohup` had it ignored
        return self._had_terminal and self._former[signal.SIGHUP] != signal.SIG_IGN and not _has_terminal()


def _read(pipe: int) -> bytes | None:
    try:
        return os.read(pipe, 4096)
    except BlockingIOError:
        return None


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
