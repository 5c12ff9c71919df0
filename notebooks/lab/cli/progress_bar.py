"""Progress display on stderr while experiments or notebooks run.

In a terminal it is a bar. Otherwise it is one line for each finished notebook or experiment.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lab.cli.stderr_bar import bar_on_stderr
from lab.compare.comparison import Result
from lab.compare.one_run import Phase
from lab.results.claims import SIDES, Claim, Side
from lab.results.verdict import reported_value
from lab.results.wording import OUTCOMES, number


class NotebookProgress:
    """Shows on stderr the progress of `lab notebooks`."""

    def __init__(self, notebooks: int) -> None:
        self._bar = bar_on_stderr()
        self._task = self._bar.add_task("", total=notebooks)
        self._began = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def on_progress(self, name: str) -> Callable[[int, int], None]:
        """Returns a callback that shows the progress of the notebook `name`.

        The callback takes the number of finished cells and the number of all cells.
        """
        self._began = time.monotonic()
        return lambda done, total: self._bar.update(self._task, description=f"{name}, cell {done + 1} of {total}")

    def done(self, name: str) -> None:
        """Shows that the notebook `name` was built, and how long it took."""
        self._bar.advance(self._task)
        self._bar.console.print(f"{name}: {time.monotonic() - self._began:.0f} s", soft_wrap=True)

    def failed(self, reason: str) -> None:
        """Shows why the build of a notebook failed."""
        self._bar.advance(self._task)
        self._bar.console.print(reason, soft_wrap=True, markup=False)


class CompareProgress:
    """Shows on stderr the progress of `lab compare`.

    The methods `progress` and `finished` are callbacks for the function `compare`, which measures the bad and the good
    server.
    """

    def __init__(self, claims: int) -> None:
        self._bar = bar_on_stderr()
        self._console = self._bar.console
        self._task = self._bar.add_task("", total=claims)
        self._running: dict[tuple[str, Side], str] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def progress(self, claim: Claim, side: Side, phase: Phase) -> None:
        """Shows that a run has started or ended.

        The run measures one server for `claim`, a statement about both servers. `side` says which server: `bad` or
        `good`. The phase `again` means that a further run of the same server has started.
        """
        if phase == "ended":
            del self._running[claim.id, side]
        else:
            self._running[claim.id, side] = f"{claim.id} {side}" + (" again" if phase == "again" else "")
        self._bar.update(self._task, description=", ".join(self._running.values()))

    def finished(self, result: Result) -> None:
        """Shows that all runs for one statement about the servers have finished.

        Advances the bar. If stderr is not a terminal, this method prints one line: whether the runs confirm the
        statement, and the values of the bad and the good server.
        """
        self._bar.advance(self._task)
        if self._console.is_terminal:
            return
        values = ", ".join(f"{side} {number(reported_value(result.claim, result.runs[side]))}" for side in SIDES)
        outcome = OUTCOMES[result.verdict.outcome]
        self._console.print(f"{result.claim.id} {result.claim.slug}: {outcome} ({values})", soft_wrap=True)
