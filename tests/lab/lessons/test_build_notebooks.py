"""Every notebook, found by glob: as its source, whole, small, and run from top to bottom in a fresh kernel."""

import ast
import asyncio
import os
import re
import shutil
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from lab.__main__ import main
from lab.exercises.tasks import load_exercise
from lab.lessons.build_notebooks import CellError, Notebook, NotebooksError, find_notebooks, orphans
from lab.results.claims import load_claims

NOTEBOOKS = {notebook.name: notebook for notebook in find_notebooks()}
# one for each claim
LESSONS = [name for name in NOTEBOOKS if 1 <= int(name[:2]) <= 10]
EACH = pytest.mark.parametrize("name", NOTEBOOKS)
EACH_LESSON = pytest.mark.parametrize("name", LESSONS)
MOST_BYTES = 500_000
MOST_LINES = 10
LESSON_SECONDS = 30
ALL_SECONDS = 300
# what a process started by these tests is known by, whatever becomes of its parent
MARK = "LAB_TEST_OF_NOTEBOOKS"
SECTIONS = [
    "In short",
    "Set up",
    "The symptom",
    "The mistake",
    "Predict",
    "Measure the bad server",
    "The number",
    "Look closer",
    "The fix",
    "Measure the good server",
    "Side by side",
    "The verdict",
    "The price, and where the rule bends",
    "Turn the knob",
    "Your turn",
    "For the interview",
    "Remember",
]


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder to work in that is not the notebooks', a record of its own, and a mark on every process started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        patch.setenv(MARK, str(os.getpid()))
        patch.chdir(tmp_path_factory.mktemp("anywhere"))
        yield


@cache
def executed(name: str) -> tuple[Any, float]:
    """A notebook run once for all tests, with the seconds that it took."""
    if "redis_program" in NOTEBOOKS[name].source.read_text("utf-8") and shutil.which("redis-server") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("redis-server is not installed")
    began = time.monotonic()
    notebook = asyncio.run(NOTEBOOKS[name].execute(Path.cwd()))
    return notebook, time.monotonic() - began


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def kept(name: str) -> Any:
    return nbformat.read(NOTEBOOKS[name].path, as_version=4)


def headings(notebook: Any) -> list[str]:
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def _marked() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(os.getpid()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@EACH
def test_a_notebook_is_as_its_source(name: str) -> None:
    assert NOTEBOOKS[name].drift() is None


def test_every_notebook_has_a_source_and_every_claim_a_lesson() -> None:
    assert orphans() == []
    assert [f"{claim.id}_{claim.slug.replace('-', '_')}" for claim in load_claims()] == LESSONS


@EACH
def test_a_notebook_is_small_and_says_nothing_of_the_machine_it_ran_on(name: str) -> None:
    text = NOTEBOOKS[name].path.read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES
    assert str(Path.home()) + os.sep not in text
    assert str(NOTEBOOKS[name].path.parent) not in text


@EACH
def test_what_is_kept_holds_outputs_and_no_error_and_no_warning(name: str) -> None:
    found = outputs(kept(name))
    assert found
    assert [output for output in found if output.output_type == "error" or output.get("name") == "stderr"] == []


@EACH
def test_links_to_other_notebooks_and_files_lead_somewhere(name: str) -> None:
    text = "\n".join(cell.source for cell in kept(name).cells if cell.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (NOTEBOOKS[name].path.parent / link).exists()] == []


@EACH_LESSON
def test_a_lesson_has_all_sections_in_their_order(name: str) -> None:
    assert headings(kept(name)) == SECTIONS


@pytest.mark.parametrize("name", [*LESSONS, "12_scaling_out"])
def test_cells_of_code_are_short_but_for_the_exercise(name: str) -> None:
    code = [cell for cell in kept(name).cells if cell.cell_type == "code"]
    long = [cell.source for cell in code if "exercise" not in cell.metadata.get("tags", [])]
    assert [source for source in long if len(source.splitlines()) > MOST_LINES] == []
    assert sum("exercise" in cell.metadata.get("tags", []) for cell in code) == (name in LESSONS)


@EACH_LESSON
def test_the_exercise_of_a_lesson_is_the_one_that_is_graded(name: str) -> None:
    (cell,) = [cell for cell in kept(name).cells if "exercise" in cell.metadata.get("tags", [])]
    assert _class(cell.source) == _class(load_exercise(int(name[:2])).given)


def _class(source: str) -> str:
    (found,) = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return ast.unparse(found)


@pytest.mark.timeout(150)
@EACH
def test_a_notebook_runs_from_top_to_bottom_in_a_fresh_kernel(name: str) -> None:
    notebook, _ = executed(name)
    found = outputs(notebook)
    assert [output for output in found if output.output_type == "error" or output.get("name") == "stderr"] == []


@EACH_LESSON
def test_a_lesson_shows_figures_with_a_text_and_a_verdict(name: str) -> None:
    data = [output.get("data", {}) for output in outputs(executed(name)[0])]
    figures = [bundle["text/plain"] for bundle in data if "image/png" in bundle]
    assert len(figures) >= 3
    assert all(figures)
    told = " ".join(bundle.get("text/markdown", "") for bundle in data)
    assert f"**Claim {name[:2]}: shown.**" in told
    assert "and no server is left running" in told


@EACH_LESSON
def test_an_exercise_that_is_not_solved_is_answered_and_fails_nothing(name: str) -> None:
    told = [output.get("data", {}).get("text/markdown", "") for output in outputs(executed(name)[0])]
    assert sum(text.startswith("**Not yet.**") for text in told) == 1


def test_a_lesson_takes_half_a_minute_at_most_and_all_of_them_five() -> None:
    if os.getloadavg()[0] > (psutil.cpu_count() or 1):
        pytest.skip("others keep this machine busy: seconds say nothing")
    seconds = {name: executed(name)[1] for name in NOTEBOOKS}
    assert {name: taken for name, taken in seconds.items() if name in LESSONS and taken > LESSON_SECONDS} == {}
    assert sum(seconds.values()) < ALL_SECONDS


def test_no_process_is_left() -> None:
    _, alive = psutil.wait_procs(_marked(), timeout=10)
    assert alive == []


def test_a_cell_that_fails_is_told_in_one_line_with_its_notebook_and_number(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    source = tmp_path / "source" / "99_broken.py"
    source.write_text("# %% [markdown]\n# # Broken\n\n# %%\nraise ValueError('two\\nlines')\n")
    with pytest.raises(CellError) as failed:
        asyncio.run(Notebook(source).execute(tmp_path))
    assert str(failed.value) == "99_broken.ipynb: cell 1: ValueError: two lines"


def test_a_notebook_that_differs_from_its_source_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    notebook = Notebook(tmp_path / "source" / "99_new.py")
    notebook.source.write_text("# %%\n1 + 1\n")
    assert notebook.drift() == "99_new.ipynb is not there"
    notebook.save(notebook.read())
    assert notebook.drift() is None
    notebook.source.write_text("# %%\n1 + 2\n")
    assert notebook.drift() == "99_new.ipynb: cell 0 differs from its source"
    notebook.source.write_text("# %%\n1 + 1\n\n# %%\n2\n")
    assert notebook.drift() == "99_new.ipynb has 1 cells, its source 2"


def test_the_same_source_makes_the_same_notebook(tmp_path: Path) -> None:
    notebook = next(iter(NOTEBOOKS.values()))
    assert nbformat.writes(notebook.read()) == nbformat.writes(notebook.read())
    assert [cell.id for cell in notebook.read().cells][:2] == ["cell-00", "cell-01"]


def test_notebooks_are_named_by_number_name_or_file_and_an_unknown_one_is_refused() -> None:
    assert [notebook.name for notebook in find_notebooks(["01"])] == ["01_stored_socket_ids"]
    assert find_notebooks(["notebooks/01_stored_socket_ids.ipynb"]) == find_notebooks(["01_stored_socket_ids"])
    with pytest.raises(NotebooksError, match="there is no notebook '77'; there are 00_start_here"):
        find_notebooks(["77"])


def test_an_unknown_name_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notebooks", "nothing"]) == 2
    assert capsys.readouterr().err.startswith("lab: there is no notebook 'nothing'")


def test_check_runs_nothing_and_says_that_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notebooks", "--check"]) == 0
    assert "match their sources" in capsys.readouterr().out
