"""Shows output below a cell: Markdown, figures, tables and progress."""

import asyncio
import base64
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TICK_SECONDS = 0.5
BAR_LETTERS = 24
# a number, perhaps in bold and with a short unit, or a dash in its place
NUMBER = re.compile(r"\**([-+]?[\d.,]+( ?(%|s|ms|µs|[KMG]iB))?|–|not possible)\**")


def show_output(output: object) -> None:
    """Show an object below the cell; a terminal prints it as text."""
    from IPython.display import display

    display(output)  # type: ignore[no-untyped-call]  # IPython types its arguments only


@dataclass(frozen=True)
class Markdown:
    """Markdown text, shown as plain text where it cannot be rendered."""

    markdown: str

    def __str__(self) -> str:
        return self.markdown

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.markdown


@dataclass(frozen=True)
class FigureOutput:
    """A figure, shown as a small PNG image with an alternative text."""

    figure: "Figure"
    alt: str

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        from lab.figures.bars import as_png

        image = base64.b64encode(as_png(self.figure)).decode()
        return {"image/png": image, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def fold(summary: str, answer: str) -> None:
    """Show `summary` below the cell; a click on it unfolds `answer`.

    The answer is Markdown.
    """
    show_output(Markdown(f"<details><summary>{summary}</summary>\n\n{answer}\n\n</details>"))


def draw(figure: "Figure", note: str = "") -> None:
    """Show a figure below the cell.

    The alternative text of the image is the title of the figure, followed by `note`.
    """
    title = " ".join((figure.get_suptitle() or figure.axes[0].get_title(loc="left")).split())
    show_output(FigureOutput(figure, f"{title}. {note}" if note else title))


def table(head: Sequence[str], *rows: Sequence[str]) -> None:
    """Show a table below the cell.

    Columns of numbers are aligned right, the others left.
    """
    lines = [head, [_alignment(column) for column in zip(*rows, strict=True)], *rows]
    show_output(Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines)))


def _alignment(column: Sequence[str]) -> str:
    """Return the Markdown that aligns a column of a table.

    It is `---:` (right) if all cells are numbers, and otherwise `:---` (left).
    """
    return "---:" if all(NUMBER.fullmatch(cell) for cell in column) else ":---"


class ProgressLine:
    """A line of text below the cell that is updated in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def update(self, text: str) -> None:
        """Replace the text of the progress line."""
        from IPython.display import display

        data = {"text/plain": text}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(data, raw=True)

    def bar(self, done: int, of: int, what: str) -> None:
        """Show a progress bar, such as `3 of 10 claims measured`.

        `done` steps of `of` steps are finished. `what` names the steps, such as `claims measured`.
        """
        filled = round(BAR_LETTERS * done / of)
        self.update(f"{'█' * filled}{'░' * (BAR_LETTERS - filled)} {done} of {of} {what}")

    @asynccontextmanager
    async def show_elapsed(self, what: str) -> AsyncIterator[None]:
        """Show the elapsed time while the `async with` block runs.

        Use this for a measurement whose number of steps is not known: `bar` cannot show such a measurement. `what`
        names the measurement.
        """
        began = time.monotonic()

        async def tick() -> None:
            while True:
                self.update(f"{what}: measuring, {time.monotonic() - began:.0f} s")
                await asyncio.sleep(TICK_SECONDS)

        ticking = asyncio.create_task(tick())
        try:
            yield
            self.update(f"{what}: measured in {time.monotonic() - began:.1f} s")
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
