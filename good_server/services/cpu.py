"""Answers for the work of a report that needs a processor. Runs in a worker process, so it imports next to nothing."""

import signal
import time
from collections.abc import Callable


def burn(milliseconds: int) -> float:
    """Uses that much CPU time and returns what it used, in seconds: a stand-in for rendering, pricing, inference."""
    started = time.process_time()
    deadline = started + milliseconds / 1000
    while time.process_time() < deadline:
        sum(range(1000))
    return time.process_time() - started


def apart(work: Callable[[int], float], milliseconds: int) -> float:
    """Does it in a worker process: Ctrl-C in a terminal reaches that too, and is for its parent to obey."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return work(milliseconds)
