"""Watches a learner's answer inside its server process, and records its faults.

An answer is a learner's solution of an exercise. Faults are exceptions, coroutines that were never awaited, code that
blocks the event loop, handlers that wait too long, and code that ends the process.
"""

import asyncio
import builtins
import os
import sys
import time
import traceback
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import Any, NoReturn

from good_server.gateway import Gateway
from lab.exercises.answer_errors import MOST_NOTED, Fault, Kind, note
from lab.exercises.answer_places import ANSWER, place_in, place_of, place_of_call
from lab.exercises.loop_watch import LoopWatch
from lab.servers.probe import watch_log

# a handler that is cancelled after this time does not go on
WAITED_SECONDS = 3.0
# what happens that much later than it was planned is not seen by the checks
LATER_SECONDS = 3.0
ORIGIN_DEPTH = 12


class AnswerWatch:
    """Records faults of a learner's answer, such as exceptions, in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._noted = 0
        self._pid = os.getpid()
        self._exit = os._exit
        self._later: set[tuple[str, int]] = set()

    def install(self) -> None:
        """Start to watch the learner's answer. Call this while the event loop of the server runs."""
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
        LoopWatch(self).start(loop)
        # `asyncio.sleep` uses it, too
        loop.call_later = partial(self._call_later, loop.call_later)  # type: ignore[method-assign, assignment]

    def wrap(self, gateway: Gateway) -> None:
        """Replace the hooks and handlers of `gateway` with watched versions.

        `gateway` is the Socket.IO namespace with the learner's answer. The hooks are its methods `joined`, `left` and
        `check_rate`. A watched version calls the original, and records faults such as a handler that waits too long.
        """
        for hook in ("joined", "left", "check_rate"):
            setattr(gateway, hook, self._watched(getattr(gateway, hook), hook))
        routes = gateway.routes
        gateway.routes = lambda: tuple(  # type: ignore[method-assign]
            replace(route, handler=self._watched(route.handler, route.event)) for route in routes()
        )

    def note(self, kind: Kind, text: str, function: str = "", line: int = 0) -> None:
        """Record a fault of the learner's answer. After `MOST_NOTED` faults, record no more.

        Faults of the kind `starved` (the server waited for a CPU) are not counted. The parameters are the fields of
        `Fault`.
        """
        # that the machine is busy is no fault of the answer, and must not hide one
        self._noted += kind != "starved"
        if self._noted <= MOST_NOTED:
            note(self._file, Fault(kind, text, function, line))

    def end(self, kind: Kind, text: str, function: str, line: int) -> NoReturn:
        """Record a fault of the learner's answer, and end the process.

        The process ends at once. The parameters are the fields of `Fault`.
        """
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
                        self.note("waited", f"{seconds:.0f} s", *(place_of(cancelled) or (name, 0)))
                    raise
            except (SystemExit, KeyboardInterrupt) as end:
                self.end("ended", type(end).__name__, *(place_of(end) or (name, 0)))

        return run

    def _call_later(self, call_later: Callable[..., Any], delay: float, *arguments: Any, **options: Any) -> Any:
        """Schedule a callback with `call_later`, and record a long delay.

        A delay is long if it is more than `LATER_SECONDS`. It is recorded only if code of the learner's answer
        schedules the callback. At each place in this code, only the first long delay is recorded.
        """
        if delay > LATER_SECONDS and (place := place_of_call(sys._getframe(1))) and place not in self._later:
            self._later.add(place)
            self.note("later", f"{delay:.0f} s", *place)
        return call_later(delay, *arguments, **options)

    def _note_logged(self, _: str, entry: Any) -> None:
        error = entry.get("exc_info")
        if isinstance(error, BaseException):
            self._note_error(error, str(entry.get("where", entry.get("event", ""))))

    def _note_error(self, error: BaseException, where: str) -> None:
        text, place = traceback.format_exception_only(error)[-1].strip(), place_of(error)
        if place is not None:
            self.note("raised", text, *place)
        else:
            self.note("logged", text, where)

    def _note_unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Record an exception that no code handled.

        An example is an exception of a background task. Only exceptions from the code of the learner's answer are
        recorded.
        """
        error = context.get("exception")
        if isinstance(error, BaseException) and place_of(error) is not None:
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
        place = place_in(sys._getframe(1))
        if place is not None and os.getpid() == self._pid:
            self.end("ended", name, *place)
        raise SystemExit(code)

    def _end_by_exit(self, code: int) -> NoReturn:
        place = place_in(sys._getframe(1))
        # a child process ends in the same way, and may have been forked by the answer
        if place is not None and os.getpid() == self._pid:
            self.end("ended", "os._exit", *place)
        self._exit(code)
