"""Supervisor of several server processes: it starts, restarts and stops them.

The supervisor serves no clients, and has neither an event loop nor threads. So it can safely fork at any time.
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

from ..observability import log
from ..runtime import Addresses
from ..settings import Settings
from .child_process import ServeChild, run_child

# a child that dies right after each start must not keep the whole machine busy
RESTART_SECONDS = 1.0
# what a child needs after its graceful shutdown to close transports, ports and the pool of reports
CLOSE_SECONDS = 5.0


@dataclass(slots=True)
class Worker:
    """The state of one server process that the supervisor starts. Times are seconds of the monotonic clock."""

    number: int
    settings: Settings
    pid: int | None = None
    # while there is no process: the earliest time to start one
    start_at: float = 0.0
    # after SIGTERM: the time at which the process is killed
    kill_at: float = math.inf
    # the child writes its report here: ready, or an error
    pipe: int | None = None
    addresses: Addresses | None = None
    error: str | None = None


class Supervisor:
    """Starts, restarts and stops the server processes, which are its children.

    Use a supervisor in a `with` block. The end of the block kills the children that still run. `restart_seconds` is the
    shortest time between two starts of the same child. `announce` is called once, with the addresses of all children,
    when all are ready. A child that still runs `settings.shutdown_seconds` + `close_seconds` after SIGTERM is killed.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        serve: ServeChild,
        announce: Callable[[Sequence[Addresses]], None],
        *,
        restart_seconds: float = RESTART_SECONDS,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        self._workers, self._serve, self._announce = workers, serve, announce
        self._restart_seconds, self._close_seconds = restart_seconds, close_seconds
        self._to_restart: list[Worker] = []
        self._is_announced = self._is_stopping = False
        self._failure: str | None = None
        self._had_terminal = _has_terminal()

    def __enter__(self) -> "Supervisor":
        # nothing is ever written here: it closes when this process ends, and the children see that
        self._parent_pipe, self._parent_end = os.pipe()
        self._signals, self._signals_end = os.pipe()
        os.set_blocking(self._signals, False)
        os.set_blocking(self._signals_end, False)
        handled = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        # the handlers do nothing: the wakeup pipe carries the number of each signal
        self._old_handlers = {number: signal.signal(number, lambda *_: None) for number in handled}
        self._old_wakeup = signal.set_wakeup_fd(self._signals_end, warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            if worker.pid is not None:
                os.kill(worker.pid, signal.SIGKILL)
                os.waitpid(worker.pid, 0)
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        for pipe in (self._parent_pipe, *self._own_pipes()):
            os.close(pipe)

    def run(self) -> None:
        """Run the server processes until SIGTERM, Ctrl-C, or a closed terminal.

        After all processes were ready, restart each process that ends by itself. Return when all processes have ended.
        Raise `OSError` when a process fails before all processes were ready.
        """
        while not self._is_stopping or any(worker.pid is not None for worker in self._workers):
            for worker in self._workers:
                self._check(worker)
            self._announce_or_restart()
            self._wait()
        if self._failure is not None:
            raise ChildProcessError(self._failure)

    def _check(self, worker: Worker) -> None:
        now = time.monotonic()
        if worker.pid is None:
            if not self._is_stopping and now >= worker.start_at:
                self._start(worker, now)
            return
        # in this order, so that the last report of an ended child is read
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        self._read_report(worker)
        if pid:
            self._record_exit(worker, os.waitstatus_to_exitcode(status))
        elif now >= worker.kill_at:
            log.warning("worker killed", worker=worker.number)
            worker.kill_at = now + self._close_seconds
            os.kill(worker.pid, signal.SIGKILL)

    def _start(self, worker: Worker, now: float) -> None:
        worker.start_at, worker.error = now + self._restart_seconds, None
        worker.pipe, report_pipe = os.pipe()
        os.set_blocking(worker.pipe, False)
        # the child would write buffered output a second time
        sys.stdout.flush()
        sys.stderr.flush()
        # a signal between the fork and the child's own handlers would be lost, or reach the supervisor twice
        signal.pthread_sigmask(signal.SIG_BLOCK, self._old_handlers)
        try:
            worker.pid = os.fork()
            if worker.pid == 0:
                for pipe in self._own_pipes():
                    os.close(pipe)
                run_child(worker.number, worker.settings, self._serve, report_pipe, self._parent_pipe)
        except OSError as error:
            worker.error = f"cannot start a process: {error.strerror}"
            self._record_exit(worker, None)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._old_handlers)
            os.close(report_pipe)

    def _own_pipes(self) -> Iterator[int]:
        yield from (self._parent_end, self._signals, self._signals_end)
        yield from (worker.pipe for worker in self._workers if worker.pipe is not None)

    def _read_report(self, worker: Worker) -> None:
        line = _read(worker.pipe) if worker.pipe is not None else None
        if line is None:
            return
        self._close_pipe(worker)
        report = json.loads(line or b"{}")
        worker.error = report.get("error")
        if "public" not in report:
            return
        worker.addresses = Addresses(**report)
        # a restarted child listens on the same internal port
        port = urlsplit(worker.addresses.internal).port
        worker.settings = worker.settings.model_copy(update={"internal_port": port})
        if self._is_announced:
            log.info("worker ready", worker=worker.number, process=worker.pid, internal=worker.addresses.internal)

    def _close_pipe(self, worker: Worker) -> None:
        if worker.pipe is not None:
            os.close(worker.pipe)
            worker.pipe = None

    def _record_exit(self, worker: Worker, code: int | None) -> None:
        was_terminated = worker.kill_at < math.inf
        worker.pid, worker.addresses, worker.kill_at = None, None, math.inf
        self._close_pipe(worker)
        if self._is_stopping or was_terminated:
            return
        if self._is_announced:
            log.error("worker ended", worker=worker.number, exit_code=code, error=worker.error)
            return
        self._failure = worker.error or f"worker {worker.number} ended at its start with exit code {code}"
        self._stop_all()

    def _stop_all(self) -> None:
        self._is_stopping = True
        for worker in self._workers:
            self._terminate(worker)

    def _terminate(self, worker: Worker) -> None:
        if worker.pid is None or worker.kill_at < math.inf:
            return
        worker.addresses = None
        worker.kill_at = time.monotonic() + worker.settings.shutdown_seconds + self._close_seconds
        os.kill(worker.pid, signal.SIGTERM)

    def _announce_or_restart(self) -> None:
        """Announce the server processes when all are ready, or restart one process.

        Do nothing while a process is not ready. When all are ready for the first time, call the constructor's argument
        `announce` with their addresses. After SIGHUP, each call of this method restarts the next process.
        """
        ready = [worker.addresses for worker in self._workers if worker.addresses is not None]
        if self._is_stopping or len(ready) < len(self._workers):
            return
        if not self._is_announced:
            self._is_announced = True
            self._announce(ready)
        if self._to_restart:
            self._terminate(self._to_restart.pop(0))

    def _wait(self) -> None:
        """Wait for a signal, a child's report, or the next due time.

        A child process reports that it is ready, or why it cannot start. A due time is when a child must be started or
        killed. After the wait, this method handles the received signals.
        """
        due = [worker.kill_at for worker in self._workers if worker.pid is not None]
        if not self._is_stopping:
            due += [worker.start_at for worker in self._workers if worker.pid is None]
        seconds = min(due, default=0.0) - time.monotonic()
        reports = [worker.pipe for worker in self._workers if worker.pipe is not None]
        wait([self._signals, *reports], None if math.isinf(seconds) else max(0.0, seconds))
        for number in _read(self._signals) or b"":
            if number in (signal.SIGTERM, signal.SIGINT) or (number == signal.SIGHUP and self._has_lost_terminal()):
                self._stop_all()
            elif number == signal.SIGHUP:
                self._to_restart = list(self._workers)

    def _has_lost_terminal(self) -> bool:
        # a closed terminal also sends SIGHUP, which ends the server, unless `nohup` made it ignore SIGHUP
        return self._had_terminal and self._old_handlers[signal.SIGHUP] != signal.SIG_IGN and not _has_terminal()


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
