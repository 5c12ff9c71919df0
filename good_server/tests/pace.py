"""Measure how late an event loop runs, and check its bound."""

import asyncio
from pathlib import Path

MOST_LATE_MS = 100


def withheld_seconds():
    """Return how many seconds this thread has waited for a processor.

    Return 0 where the system does not count them.
    """
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


class Lateness:
    """Measure the worst delay of this process's event loop, in milliseconds.

    Each call of `asked` starts a new measurement. `late_ms` is the delay by the clock; `own_ms` does not count the time
    in which this thread waited for a processor.
    """

    STEP_SECONDS = 0.005

    def __init__(self):
        self._late = self._own = 0.0
        self._due = asyncio.get_running_loop().time()
        self._withheld = withheld_seconds()
        self._tick()

    def _tick(self):
        loop = asyncio.get_running_loop()
        late, withheld = loop.time() - self._due, withheld_seconds()
        self._late = max(self._late, late)
        self._own = max(self._own, late - (withheld - self._withheld))
        self._due, self._withheld = loop.time() + self.STEP_SECONDS, withheld
        self._timer = loop.call_at(self._due, self._tick)

    async def asked(self):
        """Return the event loop's worst delay since the last call."""
        # a delay that is going on is counted at its next tick
        await asyncio.sleep(2 * self.STEP_SECONDS)
        worst = {"late_ms": self._late * 1000, "own_ms": self._own * 1000}
        self._late = self._own = 0.0
        return worst

    def end(self):
        """Stop measuring the event loop."""
        self._timer.cancel()


def check_pace(answers, *, most_late_ms=MOST_LATE_MS):
    """Assert that a server's event loop was never too late.

    The bound is `most_late_ms`.

    Skip the test when a busy machine caused the delay.
    """
    late_ms, own_ms = (max(answer[name] for answer in answers) for name in ("late_ms", "own_ms"))
    assert own_ms <= most_late_ms, f"the loop was behind by {own_ms:.0f} ms"
    if late_ms > most_late_ms:
        # not at the top: the child programs do not need pytest
        import pytest

        pytest.skip(f"inconclusive: {late_ms:.0f} ms behind, but {own_ms:.0f} of its own: the machine is too busy")
