"""Builds notebooks from their sources and executes them.

Each notebook runs in a fresh kernel. A check compares the stored notebook with its source.
"""

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
from lab.system.end_with_parent import ending_with_parent

# the longest cell takes a fifth of this time on an idle machine
CELL_SECONDS = 120
# a kernel normally starts in two seconds
KERNEL_SECONDS = 60
KERNEL = "python3"
# Without it the kernel would be killed after 2.5 s, and leave a temporary folder of multiprocessing. The reason: at its
# end it waits for its child processes, and one of them, multiprocessing's resource tracker, ignores SIGTERM.
LAST_CODE = "from lab.system.spawn import end_fork_server; end_fork_server()"
# the same on every machine: contains no version, no path and no time
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": KERNEL},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
# called with the number of executed cells and the number of all cells
ProgressCallback = Callable[[int, int], None]


class NotebooksError(Exception):
    """The requested notebook, or the folder of the sources, does not exist.

    The message is one line that says what is missing.
    """


class CellError(Exception):
    """A cell of a notebook raised an error or ran too long.

    A one-line message names the notebook, the cell and the error.
    """


@dataclass(frozen=True)
class Notebook:
    """A notebook: its source and the .ipynb that is built from it."""

    source: Path

    @property
    def name(self) -> str:
        """The name of the notebook, such as `03_join_room_once`."""
        return self.source.stem

    @property
    def path(self) -> Path:
        """The path of the .ipynb that is built from the source."""
        return self.source.parent.parent / f"{self.name}.ipynb"

    def read(self) -> NotebookNode:
        """Read the source as a notebook without outputs.

        The id of a cell contains its position, such as `cell-03`, so that every build gives the same ids.
        """
        notebook: NotebookNode = jupytext.read(self.source, fmt="py:percent")
        notebook.metadata = nbformat.from_dict(METADATA)  # type: ignore[no-untyped-call]
        notebook.nbformat, notebook.nbformat_minor = 4, 5
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number:02}"
            if cell.cell_type == "code" and cell.source.startswith("lab.fold("):
                # otherwise the reader would see the answer in the code before unfolding it below
                cell.metadata["jupyter"] = {"source_hidden": True}
        return notebook

    def drift(self) -> str | None:
        """Describe in one line how the .ipynb differs from its source.

        Returns None if the .ipynb does not differ.
        """
        if not self.path.is_file():
            return f"{self.path.name} does not exist"
        built, expected = _read(self.path).cells, self.read().cells
        for number, (built_cell, expected_cell) in enumerate(zip(built, expected, strict=False)):
            if _content(built_cell) != _content(expected_cell):
                return f"{self.path.name}: cell {number} differs from its source"
        if len(built) != len(expected):
            return f"{self.path.name} has {len(built)} cells, its source {len(expected)}"
        return None

    async def execute(self, folder: Path, on_progress: ProgressCallback = lambda done, of: None) -> NotebookNode:
        """Run the source in a fresh kernel; return the notebook with outputs.

        `folder` is the kernel's working directory. `on_progress` is called before each cell, with the number of
        executed cells and the number of all cells. Raises `CellError` if a cell fails.
        """
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
                        # nbclient mistakes every cancellation for the end of the kernel
                        raise asyncio.CancelledError from None
                    raise self._failed(number, str(error)) from None
        return notebook

    def _failed(self, number: int, reason: str) -> CellError:
        return CellError(f"{self.path.name}: cell {number}: {' '.join(reason.split())}")

    def save(self, notebook: NotebookNode) -> None:
        """Write `notebook` to the .ipynb file. Raises `OSError` if that fails."""
        text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
        write(self.path, (text.rstrip("\n") + "\n").encode())


class _KernelManager(AsyncKernelManager):
    """A kernel manager whose kernel ends when this process ends.

    The kernel ends even if it is executing a cell.
    """

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """Return the command that starts a kernel that ends with this process."""
        return ending_with_parent(super().format_kernel_cmd(extra_arguments))


@asynccontextmanager
async def _kernel(folder: Path) -> AsyncIterator[tuple[AsyncKernelManager, AsyncKernelClient]]:
    """Run a kernel in `folder` during an `async with` block.

    Yields the manager and the client of the kernel. The library nbclient could start the kernel too, but then nbclient
    would handle Ctrl-C itself.
    """
    # without this option a kernel that supports encryption warns that it does not encrypt
    manager = _KernelManager(kernel_name=KERNEL, transport_encryption="auto")
    try:
        # cells print through messages; what the kernel process itself prints at its end is not needed
        await manager.start_kernel(cwd=str(folder), stdout=DEVNULL, stderr=DEVNULL)
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=KERNEL_SECONDS)
            yield manager, client
            await client.execute_interactive(LAST_CODE, silent=True, store_history=False, timeout=KERNEL_SECONDS)
        finally:
            client.stop_channels()
    finally:
        await manager.shutdown_kernel()


def find_notebooks(names: Sequence[str] = ()) -> list[Notebook]:
    """Return the notebooks with these names, or all notebooks, in order.

    A name is a number (`03`), the name of a notebook or the path of a file. Raises `NotebooksError` for any other name.
    """
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
    """Return the path of every .ipynb whose source file does not exist.

    Each .ipynb is built from a source file.
    """
    sources = {notebook.path for notebook in find_notebooks()}
    return sorted(set(_folder().parent.glob("*.ipynb")) - sources)


def _folder() -> Path:
    """Return the folder with the sources of the notebooks.

    It is the folder `source` beside the package `lab`, or else `notebooks/source` in the working directory. Raises
    `NotebooksError` if neither exists.
    """
    for folder in (Path(__file__).resolve().parents[2], Path.cwd() / "notebooks"):
        if (folder / "source").is_dir():
            return folder / "source"
    raise NotebooksError("no folder notebooks/source here: the notebooks live in the repository")


def _content(cell: NotebookNode) -> tuple[Any, ...]:
    return cell.cell_type, cell.source, cell.metadata


def _read(path: Path) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return notebook
