"""Answers for what a cell puts out: things that show themselves, folded text, and a line that is renewed in place."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TICK_SECONDS = 0.5
BAR_LETTERS = 24


def show_output(thing: object) -> None:
    """Shows a thing below the cell, as its own representation says; in a terminal as text."""
    from IPython.display import display

    display(thing)  # type: ignore[no-untyped-call]  # IPython types its arguments only


@dataclass(frozen=True)
class Markdown:
    """Markdown where it is rendered, and as it is where it is not."""

    markdown: str

    def __str__(self) -> str:
        return self.markdown

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.markdown


@dataclass(frozen=True)
class FigureOutput:
    """A figure as a small PNG, with its finding as the text for who cannot see it."""

    figure: "Figure"
    alt: str

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        from lab.figures.bars import as_png

        image = base64.b64encode(as_png(self.figure)).decode()
        return {"image/png": image, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def fold(summary: str, answer: str) -> None:
    """Shows `summary`, and `answer` (Markdown) once the reader asks for it by a click."""
    show_output(Markdown(f"<details><summary>{summary}</summary>\n\n{answer}\n\n</details>"))


def draw(figure: "Figure") -> None:
    """Shows a figure; its title is its text for who cannot see it."""
    title = figure.get_suptitle() or figure.axes[0].get_title(loc="left")
    show_output(FigureOutput(figure, " ".join(title.split())))


def table(head: Sequence[str], *rows: Sequence[str]) -> None:
    """Shows a table: its first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    show_output(Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines)))


class ProgressLine:
    """One line of output that says what is going on, and at the end what came of it."""

    def __init__(self) -> None:
        self._handle: Any = None

    def tell(self, text: str) -> None:
        """Replaces what the line said."""
        from IPython.display import display

        data = {"text/plain": text}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(data, raw=True)

    def bar(self, done: int, of: int, what: str) -> None:
        """How far a work of so many steps is."""
        filled = round(BAR_LETTERS * done / of)
        self.tell(f"{'█' * filled}{'░' * (BAR_LETTERS - filled)} {done} of {of} {what}")

    @asynccontextmanager
    async def ticking(self, what: str) -> AsyncIterator[None]:
        """While inside, says how long it has taken so far; how many steps a single run has nobody knows."""
        began = time.monotonic()

        async def tick() -> None:
            while True:
                self.tell(f"{what}: measuring, {time.monotonic() - began:.0f} s")
                await asyncio.sleep(TICK_SECONDS)

        ticks = asyncio.create_task(tick())
        try:
            yield
            self.tell(f"{what}: measured in {time.monotonic() - began:.1f} s")
        finally:
            ticks.cancel()
            await asyncio.gather(ticks, return_exceptions=True)
