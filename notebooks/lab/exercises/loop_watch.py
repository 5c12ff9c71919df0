"""Checks whether a learner's answer blocks the event loop of its server."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from lab.exercises.answer_errors import Kind
from lab.exercises.answer_places import place_in

TICK_SECONDS = 0.05
# a handler that computes nothing needs some microseconds
BLOCKED_SECONDS = 0.5
BLOCKED_LOOKS = 3
# longer than the longest report; then the process is ended
STUCK_SECONDS = 6.0
# half of the shortest report that is looked at
HELD_SECONDS = 0.2
# a server that waits that long for a CPU is late, whatever the answer does
STARVED_SECONDS = 0.03
# each check looks at its own time, so a long suite on a busy machine needs many of these notes
MOST_STARVED = 1000
STARVED_PAUSE_SECONDS = 0.1


class Recorder(Protocol):
    """Records faults of a learner's answer, such as a blocked event loop."""

    def note(self, kind: Kind, text: str, function: str = "", line: int = 0) -> None:
        """Record a fault of the answer.

        `text` has details. `function` and `line` are the place of the fault in the code of the answer.
        """

    def end(self, kind: Kind, text: str, function: str, line: int) -> NoReturn:
        """Record a fault of the answer, and end this process at once."""


class LoopWatch:
    """Checks whether a learner's answer blocks the event loop.

    It runs in a second thread, because a blocked event loop cannot check itself.
    """

    def __init__(self, watch: Recorder) -> None:
        self._watch = watch
        self._ticking: asyncio.Task[None] | None = None
        self._last_tick = _Moment(0.0)
        self._clock: Callable[[], _Moment] = _Moment.of_this_thread()
        self._starved, self._starved_at = 0, 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._last_tick = self._clock()
        self._ticking = loop.create_task(self._tick())
        threading.Thread(target=self._look, args=(threading.get_ident(),), daemon=True).start()

    async def _tick(self) -> None:
        while True:
            before, self._last_tick = self._last_tick, self._clock()
            self._note_starved(self._last_tick, self._last_tick.queued - before.queued)
            await asyncio.sleep(TICK_SECONDS)

    def _note_starved(self, now: "_Moment", queued_seconds: float) -> None:
        is_late = queued_seconds > STARVED_SECONDS and now.at - self._starved_at > STARVED_PAUSE_SECONDS
        if is_late and self._starved < MOST_STARVED:
            self._starved += 1
            self._starved_at = now.at
            self._watch.note("starved", f"{queued_seconds:.2f} s")

    def _look(self, main: int) -> None:
        looks, since, is_noted, is_held = 0, self._last_tick, False, False
        while True:
            time.sleep(TICK_SECONDS)
            if self._last_tick is not since:
                looks, since, is_noted, is_held = 0, self._last_tick, False, False
            place = place_in(sys._current_frames().get(main))
            seconds = self._clock().seconds_held_since(since)
            if seconds >= HELD_SECONDS and not is_held:
                is_held = True
                self._watch.note("held", f"{seconds:.1f} s")
            if place is None or seconds < BLOCKED_SECONDS:
                continue
            looks += 1
            if looks >= BLOCKED_LOOKS and seconds >= STUCK_SECONDS:
                self._watch.end("stuck", f"{seconds:.0f} s", *place)
            if looks >= BLOCKED_LOOKS and not is_noted:
                is_noted = True
                self._watch.note("blocked", f"{seconds:.1f} s", *place)


@dataclass(frozen=True, slots=True)
class _Moment:
    """The times of a thread, read at one moment.

    `at` is this moment on the monotonic clock. `on_cpu` is how many seconds the thread has used a CPU. `queued` is how
    many seconds it has waited for a free CPU, which is not the fault of the learner's code. If `is_runnable` is true,
    the thread uses a CPU or waits for one at this moment; `queued` does not yet include this wait.
    """

    at: float
    on_cpu: float = 0.0
    queued: float = 0.0
    is_runnable: bool = False

    def seconds_held_since(self, other: "_Moment") -> float:
        on_cpu = self.on_cpu - other.on_cpu
        return on_cpu if self.is_runnable else self.at - other.at - (self.queued - other.queued)

    @staticmethod
    def of_this_thread() -> Callable[[], "_Moment"]:
        """Return a function that reads the CPU times of the present thread.

        Other threads may call the returned function, too: it always reads the thread that called `of_this_thread`.
        """
        folder = Path(f"/proc/self/task/{threading.get_native_id()}")

        def now() -> _Moment:
            try:
                on_cpu, queued, _ = (int(value) / 1e9 for value in (folder / "schedstat").read_text().split())
                # the state follows the name, which may hold spaces and brackets
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except (OSError, ValueError, IndexError):
                # other systems than Linux tell nothing
                return _Moment(time.monotonic())
            return _Moment(time.monotonic(), on_cpu, queued, state == "R")

        return now
