"""Answers for the notebooks: made from their sources, executed in a fresh kernel each, and held against them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import jupytext
import nbformat
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from lab.system.atomic_file import write

# the longest cell takes a third of it
CELL_SECONDS = 120
# a kernel starts in two
KERNEL_SECONDS = 60
KERNEL = "python3"
# the same on every machine: no version, no path, no time
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": KERNEL},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
# called with the number of cells done, and of all
ProgressCallback = Callable[[int, int], None]


class NotebooksError(Exception):
    """There is no such notebook; the message is one line that names those there are."""


class CellError(Exception):
    """A cell failed; the message is one line that names the notebook, the cell and the error."""


@dataclass(frozen=True)
class Notebook:
    """A source and what is made of it."""

    source: Path

    @property
    def name(self) -> str:
        """As on the command line: `03_join_room_once`."""
        return self.source.stem

    @property
    def path(self) -> Path:
        """The .ipynb."""
        return self.source.parent.parent / f"{self.name}.ipynb"

    def read(self) -> NotebookNode:
        """The source as a notebook without outputs, whose cells have the same ids every time."""
        notebook: NotebookNode = jupytext.read(self.source, fmt="py:percent")
        notebook.metadata = nbformat.from_dict(METADATA)  # type: ignore[no-untyped-call]
        notebook.nbformat, notebook.nbformat_minor = 4, 5
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number:02}"
            if cell.cell_type == "code" and cell.source.startswith("lab.fold("):
                # else the answer would be read in the code before it is unfolded below
                cell.metadata["jupyter"] = {"source_hidden": True}
        return notebook

    def drift(self) -> str | None:
        """In one line where the .ipynb differs from its source; None when it does not."""
        if not self.path.is_file():
            return f"{self.path.name} is not there"
        built, wanted = _read(self.path).cells, self.read().cells
        for number, (one, other) in enumerate(zip(built, wanted, strict=False)):
            if _content(one) != _content(other):
                return f"{self.path.name}: cell {number} differs from its source"
        if len(built) != len(wanted):
            return f"{self.path.name} has {len(built)} cells, its source {len(wanted)}"
        return None

    async def execute(self, folder: Path, on_progress: ProgressCallback = lambda done, of: None) -> NotebookNode:
        """The notebook with the outputs of a fresh kernel that works in `folder`; raises `CellError`."""
        notebook = self.read()
        client = NotebookClient(notebook, timeout=CELL_SECONDS, record_timing=False, coalesce_streams=True)
        async with _kernel(folder) as (client.km, client.kc):
            for number, cell in enumerate(notebook.cells):
                on_progress(number, len(notebook.cells))
                try:
                    await client.async_execute_cell(cell, number)
                except CellExecutionError as error:
                    raise self._failed(number, f"{error.ename}: {error.evalue}") from None
                except (DeadKernelError, TimeoutError) as error:
                    task = asyncio.current_task()
                    if task is not None and task.cancelling():
                        # nbclient takes every cancellation for the kernel's end
                        raise asyncio.CancelledError from None
                    raise self._failed(number, str(error)) from None
        return notebook

    def _failed(self, number: int, why: str) -> CellError:
        return CellError(f"{self.path.name}: cell {number}: {' '.join(why.split())}")

    def save(self, notebook: NotebookNode) -> None:
        """Writes the .ipynb; raises `OSError`."""
        text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
        write(self.path, (text.rstrip("\n") + "\n").encode())


@asynccontextmanager
async def _kernel(folder: Path) -> AsyncIterator[tuple[AsyncKernelManager, AsyncKernelClient]]:
    """A kernel of its own, ended on every path. nbclient would start one, and take Ctrl-C for itself."""
    # without it a kernel that could encrypt warns that nobody asked it to
    manager = AsyncKernelManager(kernel_name=KERNEL, transport_encryption="auto")
    try:
        # what cells print comes as messages; what the kernel itself has to say at its end is nobody's concern
        await manager.start_kernel(cwd=str(folder), stdout=DEVNULL, stderr=DEVNULL)
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=KERNEL_SECONDS)
            yield manager, client
        finally:
            client.stop_channels()
    finally:
        await manager.shutdown_kernel()


def find_notebooks(names: Sequence[str] = ()) -> list[Notebook]:
    """All notebooks, or those named in any way (`03`, a file), in their order; raises `NotebooksError`."""
    found = [Notebook(source) for source in sorted(_folder().glob("[0-9][0-9]_*.py"))]
    known = {notebook.name: notebook for notebook in found}
    chosen = set()
    for name in names:
        stem = Path(name).stem
        matching = [known_name for known_name in known if stem in (known_name, known_name[:2])]
        if not matching:
            raise NotebooksError(f"there is no notebook {name!r}; there are {', '.join(known)}")
        chosen.update(matching)
    return [notebook for notebook in found if not names or notebook.name in chosen]


def orphans() -> list[Path]:
    """Every .ipynb that has no source."""
    sources = {notebook.path for notebook in find_notebooks()}
    return sorted(set(_folder().parent.glob("*.ipynb")) - sources)


def _folder() -> Path:
    """The sources, beside the lab where it is installed from the repository, else below the working folder."""
    for folder in (Path(__file__).resolve().parents[2], Path.cwd() / "notebooks"):
        if (folder / "source").is_dir():
            return folder / "source"
    raise NotebooksError("no folder notebooks/source here: the notebooks live in the repository")


def _content(cell: NotebookNode) -> tuple[Any, ...]:
    return cell.cell_type, cell.source, cell.metadata


def _read(path: Path) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return notebook
