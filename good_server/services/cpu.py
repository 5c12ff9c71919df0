"""Answers for the work of a report that needs a processor. Runs in a worker process, so it imports next to nothing."""

import time


def burn(milliseconds: int) -> float:
    """Uses that much CPU time and returns what it used, in seconds: a stand-in for rendering, pricing, inference."""
    started = time.process_time()
    deadline = started + milliseconds / 1000
    while time.process_time() < deadline:
        sum(range(1000))
    return time.process_time() - started
