"""Creates the progress bar on stderr that several commands use."""

import contextlib
import io
import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class LastingStream:
    """Wraps a stream and ignores its write errors.

    If the program that reads stderr has ended, the measurement continues.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes `text`; returns its length, even if the write fails."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes the stream; ignores errors."""
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def bar_on_stderr() -> Progress:
    """Returns a progress bar, which is hidden if stderr is no terminal."""
    stream: Any = LastingStream(sys.stderr if sys.stderr is not None else io.StringIO())
    console = Console(file=stream, highlight=False)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
