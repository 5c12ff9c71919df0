"""Answers for what a cell puts out: things that show themselves, folded text, and a line that is renewed in place."""

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def put(thing: object) -> None:
    """Shows a thing below the cell, as its own representation says; in a terminal as text."""
    from IPython.display import display

    display(thing)  # type: ignore[no-untyped-call]  # IPython types its arguments only


@dataclass(frozen=True)
class Text:
    """Markdown where it is rendered, and as it is where it is not."""

    markdown: str

    def __str__(self) -> str:
        return self.markdown

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.markdown


@dataclass(frozen=True)
class Picture:
    """A figure as a small PNG, with its finding as the text for who cannot see it."""

    figure: "Figure"
    alt: str

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        from lab.figures import as_png

        image = base64.b64encode(as_png(self.figure)).decode()
        return {"image/png": image, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def fold(summary: str, answer: str) -> None:
    """Shows `summary`, and `answer` (Markdown) once the reader asks for it by a click."""
    put(Text(f"<details><summary>{summary}</summary>\n\n{answer}\n\n</details>"))


class Line:
    """One line of output that says what is going on, and is replaced by what came of it."""

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
