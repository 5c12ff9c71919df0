"""The CPU-bound work of a report. It runs in a worker process, so this module imports very little."""

import signal
import time
from collections.abc import Callable


def burn(milliseconds: int) -> float:
    """Use `milliseconds` of CPU time, and return the seconds used. Replace this with real work, such as rendering."""
    started = time.process_time()
    deadline = started + milliseconds / 1000
    while time.process_time() < deadline:
        sum(range(1000))
    return time.process_time() - started


def prepare_worker() -> None:
    """Let this worker process ignore Ctrl-C.

    Ctrl-C in a terminal reaches all processes. Only the parent process must react to Ctrl-C.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_in_worker(work: Callable[[int], float], milliseconds: int) -> float:
    """Return `work(milliseconds)`. Call this function in a worker process: the process then ignores Ctrl-C."""
    prepare_worker()
    return work(milliseconds)
