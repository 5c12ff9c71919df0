"""Prints and writes the results of a command without losing any.

Before a command measures, this module checks that every output can be written. After the measurement, it tries to
write every output, even when another output has failed.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from lab.system import atomic_file
from lab.system.exit_codes import UsageError

# a file, and the function that makes its content
Output = tuple[Path, Callable[[], bytes]]


def check_outputs(paths: Iterable[Path | None]) -> None:
    """Checks before a measurement that its result files can be written.

    A path that is None is skipped. Raises `UsageError` when a file cannot be written, or when two paths are the same
    file.
    """
    seen: set[Path] = set()
    for path in paths:
        if path is None:
            continue
        if (reason := atomic_file.why_not_writable(path)) is not None:
            raise UsageError(reason)
        if path.resolve() in seen and path.is_file() is path.exists():
            raise UsageError(f"two results would be written to {path}")
        seen.add(path.resolve())


def check_drawing() -> None:
    """Checks before a measurement that figures can be drawn.

    Raises `UsageError` when they cannot be drawn.
    """
    # a figure in a file needs no window; matplotlib does not start with a backend that is not installed
    os.environ["MPLBACKEND"] = "agg"
    try:
        from lab.figures.bars import as_png, as_svg, new_figure

        figure, _ = new_figure()
        as_svg(figure)
        as_png(figure)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is better known before the measurement
        raise UsageError(f"cannot draw figures: {_reason(error)}") from None


def show(*lines: Any, columns: int) -> None:
    """Prints tables and lines of text on stdout.

    If stdout is not a terminal, the output is `columns` characters wide. If stdout is closed or full, everything is
    printed on stderr, because the results may have taken minutes to measure.
    """
    from rich.console import Console

    class FailingConsole(Console):
        def on_broken_pipe(self) -> None:
            # the original ends the program
            raise

    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            # this writes what is still in the buffer, such as a progress line
            _replace_unknown_characters(stream)
            console = FailingConsole(file=stream, width=None if stream.isatty() else columns, highlight=False)
            for line in lines:
                # a text may hold brackets of its own
                console.print(line, markup=not isinstance(line, str), emoji=False)
            stream.flush()
        except OSError:
            discard(stream)
        else:
            return


def discard(stream: TextIO) -> None:
    """Redirects `stream` to the null device, after a write has failed.

    Otherwise Python would fail again when it flushes the stream at exit.
    """
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def write(outputs: Sequence[Output]) -> None:
    """Writes the output files of a command, as far as possible.

    An output is a path and a function that returns the content. If files cannot be written, one `UsageError` is raised
    for all of them. If possible, their content is kept in temporary files, which the error message names.
    """
    failures = []
    for path, content in outputs:
        data = None
        try:
            data = content()
            atomic_file.write(path, data)
        except Exception as error:  # noqa: BLE001 - the other files are still written
            failures.append(f"cannot write {path}: {_reason(error)}{_kept(path, data)}")
    if failures:
        raise UsageError("; ".join(failures))


def _kept(path: Path, data: bytes | None) -> str:
    if data is None:
        return ""
    try:
        handle, name = tempfile.mkstemp(prefix="lab-", suffix=path.suffix)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError:
        return ""
    return f" (kept in {name})"


def _replace_unknown_characters(stream: Any) -> None:
    # a terminal without UTF-8 gets question marks, not an error
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
