"""Progress display of `lab check`, on stderr of a terminal."""

from types import TracebackType
from typing import Self

from rich.progress import Progress

from lab.cli.stderr_bar import bar_on_stderr


class CheckProgress:
    """Shows how much of a check is done. Its method `progress` is a callback for the function `check`."""

    def __init__(self) -> None:
        self._bar: Progress = bar_on_stderr()
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Shows what the check does now, and how much is done.

        `stage` is a text such as `reading files`. `done` of `total` files or rules are finished. If `total` is 0, the
        total is not known.
        """
        self._bar.update(self._task, description=stage, completed=done, total=total or None)
