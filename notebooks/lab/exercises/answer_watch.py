"""Watches a learner's answer inside its server process, and records its faults.

It records exceptions, coroutines that were never awaited, code that blocks the event loop, handlers that wait too long,
and code that ends the process.
"""

import asyncio
import builtins
import os
import sys
import threading
import time
import traceback
import types
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import Any, NoReturn

from good_server.gateway import Gateway
from lab.exercises.answer_errors import MOST_NOTED, Fault, Kind, note
from lab.servers.probe import watch_log

# the file name of the answer in tracebacks
ANSWER = "<answer>"
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
MOST_STARVED = 100
# a handler that is cancelled after this time does not go on
WAITED_SECONDS = 3.0
ORIGIN_DEPTH = 12


class AnswerWatch:
    """Records the faults of a learner's answer in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._noted = 0
        self._pid = os.getpid()
        self._exit = os._exit

    def install(self) -> None:
        """Start watching. Call this while the event loop of the server runs."""
        watch_log(self._note_logged)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._note_unhandled)
        sys.set_coroutine_origin_tracking_depth(ORIGIN_DEPTH)
        warnings.simplefilter("always", RuntimeWarning)
        warnings.showwarning = self._note_warning  # type: ignore[assignment]
        os._exit = self._end_by_exit  # type: ignore[assignment]
        # in a background task these would end the event loop, and nobody would know why
        for module, name in ((sys, "exit"), (builtins, "exit"), (builtins, "quit")):
            setattr(module, name, partial(self._exit_from, name))
        _LoopWatch(self).start(loop)

    def wrap(self, gateway: Gateway) -> None:
        """Replace all hooks and handlers of `gateway` with watched versions.

        A watched version calls the original, and records its faults.
        """
        for hook in ("joined", "left", "check_rate"):
            setattr(gateway, hook, self._watched(getattr(gateway, hook), hook))
        routes = gateway.routes
        gateway.routes = lambda: tuple(  # type: ignore[method-assign]
            replace(route, handler=self._watched(route.handler, route.event)) for route in routes()
        )

    def note(self, kind: Kind, text: str, function: str = "", line: int = 0) -> None:
        """Record a fault of the answer, as in `Fault`. At most `MOST_NOTED` faults are recorded in total."""
        self._noted += 1
        if self._noted <= MOST_NOTED:
            note(self._file, Fault(kind, text, function, line))

    def end(self, kind: Kind, text: str, function: str, line: int) -> NoReturn:
        """Record a fault, and end the process at once."""
        note(self._file, Fault(kind, text, function, line))
        self._exit(1)

    def _watched(self, function: Callable[..., Awaitable[Any]], name: str) -> Callable[..., Any]:
        async def run(*arguments: Any) -> Any:
            try:
                coroutine = function(*arguments)
                if not isawaitable(coroutine):
                    raise TypeError(f"{name} has to be written with `async def`")
                began = time.monotonic()
                try:
                    return await coroutine
                except asyncio.CancelledError as cancelled:
                    # its deadline, or the end of the server
                    if (seconds := time.monotonic() - began) > WAITED_SECONDS:
                        self.note("waited", f"{seconds:.0f} s", *(_place_of(cancelled) or (name, 0)))
                    raise
            except (SystemExit, KeyboardInterrupt) as end:
                self.end("ended", type(end).__name__, *(_place_of(end) or (name, 0)))

        return run

    def _note_logged(self, _: str, entry: Any) -> None:
        error = entry.get("exc_info")
        if isinstance(error, BaseException):
            self._note_error(error, str(entry.get("where", entry.get("event", ""))))

    def _note_error(self, error: BaseException, where: str) -> None:
        text, place = traceback.format_exception_only(error)[-1].strip(), _place_of(error)
        if place is not None:
            self.note("raised", text, *place)
        else:
            self.note("logged", text, where)

    def _note_unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Record an exception that no code handled, such as a background task's."""
        error = context.get("exception")
        if isinstance(error, BaseException) and _place_of(error) is not None:
            self._note_error(error, "a task")
        loop.default_exception_handler(context)

    def _note_warning(self, message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
        first, *origin = str(message).splitlines()
        if "was never awaited" not in first:
            return
        function, line = "your code", lineno if filename == ANSWER else 0
        for text in origin:
            # File "<answer>", line 7, in joined
            parts = text.strip().split(", ")
            if parts[0] == f'File "{ANSWER}"' and len(parts) == 3:
                line, function = int(parts[1].split()[-1]), parts[2].removeprefix("in ")
        if line:
            self.note("unawaited", first, function, line)

    def _exit_from(self, name: str, code: object = None) -> NoReturn:
        place = _place_in(sys._getframe(1))
        if place is not None and os.getpid() == self._pid:
            self.end("ended", name, *place)
        raise SystemExit(code)

    def _end_by_exit(self, code: int) -> NoReturn:
        place = _place_in(sys._getframe(1))
        # a child process ends in the same way, and may have been forked by the answer
        if place is not None and os.getpid() == self._pid:
            self.end("ended", "os._exit", *place)
        self._exit(code)


class _LoopWatch:
    """Checks from a second thread whether the answer blocks the event loop."""

    def __init__(self, watch: AnswerWatch) -> None:
        self._watch = watch
        self._ticking: asyncio.Task[None] | None = None
        self._last_tick = _Moment(0.0)
        self._clock: Callable[[], _Moment] = _Moment.of_this_thread()
        self._starved = 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._last_tick = self._clock()
        self._ticking = loop.create_task(self._tick())
        threading.Thread(target=self._look, args=(threading.get_ident(),), daemon=True).start()

    async def _tick(self) -> None:
        while True:
            before, self._last_tick = self._last_tick, self._clock()
            if self._last_tick.queued - before.queued > STARVED_SECONDS and self._starved < MOST_STARVED:
                self._starved += 1
                self._watch.note("starved", f"{self._last_tick.queued - before.queued:.2f} s")
            await asyncio.sleep(TICK_SECONDS)

    def _look(self, main: int) -> None:
        looks, since, is_noted, is_held = 0, self._last_tick, False, False
        while True:
            time.sleep(TICK_SECONDS)
            if self._last_tick is not since:
                looks, since, is_noted, is_held = 0, self._last_tick, False, False
            place = _place_in(sys._current_frames().get(main))
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
    many seconds it has waited for a free CPU, which is not the fault of the answer. If `is_runnable` is true, the
    thread uses a CPU or waits for one at this moment; `queued` does not yet include this wait.
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
        """Return a function that reads this thread's CPU times from any thread."""
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


def _place_of(error: BaseException) -> tuple[str, int] | None:
    """Return where the code of a learner's answer raised an exception.

    Returns the innermost function and line of the answer, or None if the exception did not pass through the code of the
    answer.
    """
    places = [
        (frame.name, frame.lineno or 0)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == ANSWER
    ]
    return places[-1] if places else None


def _place_in(frame: types.FrameType | None) -> tuple[str, int] | None:
    """Return where a stack is in the code of a learner's answer.

    `frame` is the top of the stack. The result is a function name and a line, or None if the answer is not found."""
    with suppress(RuntimeError):
        while frame is not None:
            if frame.f_code.co_filename == ANSWER:
                return frame.f_code.co_name, frame.f_lineno
            frame = frame.f_back
    return None
