"""Test the working copies of the notebooks: content, edited copies and folders."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from lab.lessons.build_notebooks import Notebook, find_notebooks
from lab.lessons.working_copy import WorkingCopyError, begun_notebooks, copy_notebooks, is_begun

NOTEBOOKS = find_notebooks()
REPOSITORY = NOTEBOOKS[0].path.parents[1]
ONE = find_notebooks(["03"])


def read(path):
    return nbformat.read(path, as_version=4)


def edit(path, change):
    notebook = read(path)
    change(notebook)
    nbformat.write(notebook, path)


def guess(notebook):
    cell = next(cell for cell in notebook.cells if cell.source == "my_guess = None")
    cell.source = "my_guess = 40"


def run_first_cell(notebook):
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.execution_count = 1


def save_again(notebook):
    # as JupyterLab does without any edit
    notebook.metadata.language_info["version"] = "3.13.0"


@pytest.fixture
def tiny(tmp_path):
    """A notebook in a repository of its own."""
    source = tmp_path / "repository" / "notebooks" / "source" / "99_tiny.py"
    source.parent.mkdir(parents=True)
    source.write_text("# %%\nimport lab\n\nprint(lab.__name__, 1 + 1)\n")
    return Notebook(source)


def test_a_copy_has_all_notebooks_and_no_output(tmp_path):
    copy = copy_notebooks(NOTEBOOKS, tmp_path / "mine")
    assert [path.name for path in copy.written] == [notebook.path.name for notebook in NOTEBOOKS]
    assert copy.kept == []
    for path in copy.written:
        cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
        assert cells
        assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_the_committed_notebooks_keep_their_outputs(tmp_path):
    before = [notebook.path.read_bytes() for notebook in NOTEBOOKS]
    copy_notebooks(NOTEBOOKS, tmp_path / "mine")
    assert [notebook.path.read_bytes() for notebook in NOTEBOOKS] == before
    assert all(any(cell.get("outputs") for cell in read(notebook.path).cells) for notebook in NOTEBOOKS)


@pytest.mark.parametrize("change", [guess, run_first_cell])
def test_a_notebook_with_work_in_it_is_kept(tmp_path, change):
    (path,) = copy_notebooks(ONE, tmp_path).written
    edit(path, change)
    before = path.read_bytes()
    copy = copy_notebooks(ONE, tmp_path)
    assert (copy.written, copy.kept) == ([], [path])
    assert path.read_bytes() == before
    assert begun_notebooks(tmp_path) == ["03"]


def test_a_notebook_that_was_only_saved_is_not_begun(tmp_path):
    (path,) = copy_notebooks(ONE, tmp_path).written
    edit(path, save_again)
    assert not is_begun(path)
    assert copy_notebooks(ONE, tmp_path).written == [path]
    assert begun_notebooks(tmp_path) == []


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"not a notebook", b'{"cells": 3, "metadata": {}}', b"\xff\xfe"]
)
def test_a_file_that_is_no_copy_is_kept(tmp_path, content):
    path = tmp_path / ONE[0].path.name
    path.write_bytes(content)
    assert copy_notebooks(ONE, tmp_path).kept == [path]
    assert path.read_bytes() == content


def test_an_old_copy_without_work_is_renewed(tmp_path, tiny):
    (path,) = copy_notebooks([tiny], tmp_path / "mine").written
    tiny.source.write_text("# %%\n2 + 2\n")
    assert copy_notebooks([tiny], tmp_path / "mine").written == [path]
    assert read(path).cells[0].source == "2 + 2"


def test_a_copy_runs_from_its_folder(tmp_path, tiny):
    (path,) = copy_notebooks([tiny], tmp_path / "mine").written
    # a notebook that is read as a source, so that nothing is left of the repository but the package
    source = path.with_suffix(".py")
    source.write_text("# %%\n" + read(path).cells[0].source)
    executed = asyncio.run(Notebook(source).execute(path.parent))
    assert executed.cells[0].outputs[0].text == "lab 2\n"


RUN = """
import sys
import nbformat
from nbclient import NotebookClient

folder, name = sys.argv[1:]
notebook = nbformat.read(f"{folder}/{name}", as_version=4)
NotebookClient(notebook, kernel_name="python3", timeout=120, resources={"metadata": {"path": folder}}).execute()
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", ["03", "15"])
def test_a_copied_lesson_runs_from_any_folder(number, tmp_path):
    (path,) = copy_notebooks(find_notebooks([number]), tmp_path / "mine").written
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    own = {**os.environ, **{name: str(tmp_path / name) for name in ("IPYTHONDIR", "XDG_STATE_HOME", "XDG_DATA_HOME")}}
    command = [sys.executable, "-c", RUN, str(path.parent), path.name]
    done = subprocess.run(command, cwd=elsewhere, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(elsewhere.iterdir()) == []
    assert list(path.parent.iterdir()) == [path]
    # an unsolved diagnosis writes no result
    assert not (tmp_path / "XDG_DATA_HOME").exists()


def test_a_folder_that_cannot_be_used_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for folder, reason in (
        (tmp_path / "file", "is a file, not a folder"),
        (tmp_path / "file" / "below", "cannot write to .*: Not a directory"),
        (Path("/proc/nowhere"), "cannot write to /proc/nowhere: "),
    ):
        with pytest.raises(WorkingCopyError, match=reason) as refused:
            copy_notebooks(ONE, folder)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("folder", [".", "notebooks", "notebooks/source", "notebooks/new", "tests"])
def test_a_folder_of_the_repository_is_refused(folder):
    with pytest.raises(WorkingCopyError, match="is a part of the repository"):
        copy_notebooks(ONE, REPOSITORY / folder)


def test_git_ignores_a_new_folder_in_the_repository(tmp_path, tiny):
    folder = tmp_path / "repository" / "my-lessons"
    for _ in range(2):
        copy_notebooks([tiny], folder)
        assert (folder / ".gitignore").read_bytes() == b"*\n"
    copy_notebooks([tiny], tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / ".gitignore").exists()
