"""Tests every notebook: its form, its outputs and a complete run.

A notebook has to match its source, stay small and run in a fresh kernel.
"""

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
# the notebook that runs in the default lane, because it is the quickest; the others are slow
QUICKEST = "03_join_room_once"
EACH = pytest.mark.parametrize("name", NOTEBOOKS)
EACH_LESSON = pytest.mark.parametrize("name", LESSONS)
MOST_BYTES = 500_000
MOST_LINES = 10
LESSON_SECONDS = 30
ALL_SECONDS = 300
# a run of this test alone runs all notebooks
LANE_SECONDS = 600
# an environment variable that marks every process started by these tests, even if its parent ends
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
    "Find it in your own code",
    "For the interview",
    "Remember",
]


@pytest.fixture(scope="module", autouse=True)
def isolated_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run the tests in temporary folders, and mark their processes.

    An environment variable marks every process that a test starts.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        patch.setenv(MARK, str(os.getpid()))
        patch.chdir(tmp_path_factory.mktemp("anywhere"))
        yield


def in_its_lane(name: str) -> Any:
    """Return a notebook's name as the parameter of a test.

    The test is slow, unless the notebook is the quickest one.
    """
    return pytest.param(name, marks=[] if name == QUICKEST else pytest.mark.slow)


EACH_RUN = pytest.mark.parametrize("name", [in_its_lane(name) for name in NOTEBOOKS])
EACH_LESSON_RUN = pytest.mark.parametrize("name", [in_its_lane(name) for name in LESSONS])


@cache
def executed(name: str) -> tuple[Any, float]:
    """Run a notebook once for all tests; return it and its duration."""
    if "redis_program" in NOTEBOOKS[name].source.read_text("utf-8") and shutil.which("redis-server") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("redis-server is not installed")
    started_at = time.monotonic()
    notebook = asyncio.run(NOTEBOOKS[name].execute(Path.cwd()))
    return notebook, time.monotonic() - started_at


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def stored(name: str) -> Any:
    return nbformat.read(NOTEBOOKS[name].path, as_version=4)


def headings(notebook: Any) -> list[str]:
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def marked_processes() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(os.getpid()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@EACH
def test_a_notebook_matches_its_source(name: str) -> None:
    assert NOTEBOOKS[name].drift() is None


def test_every_notebook_has_a_source_and_every_claim_a_lesson() -> None:
    assert orphans() == []
    assert [f"{claim.id}_{claim.slug.replace('-', '_')}" for claim in load_claims()] == LESSONS


@EACH
def test_a_notebook_is_small_and_contains_no_local_path(name: str) -> None:
    text = NOTEBOOKS[name].path.read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES
    assert str(Path.home()) + os.sep not in text
    assert str(NOTEBOOKS[name].path.parent) not in text


@EACH
def test_a_stored_notebook_has_outputs_but_no_error_or_warning(name: str) -> None:
    found = outputs(stored(name))
    assert found
    assert [output for output in found if output.output_type == "error" or output.get("name") == "stderr"] == []


@EACH
def test_links_to_other_notebooks_and_files_exist(name: str) -> None:
    text = "\n".join(cell.source for cell in stored(name).cells if cell.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (NOTEBOOKS[name].path.parent / link).exists()] == []


@EACH_LESSON
def test_a_lesson_has_all_sections_in_their_order(name: str) -> None:
    assert headings(stored(name)) == SECTIONS


@pytest.mark.parametrize("name", [*LESSONS, "12_scaling_out"])
def test_code_cells_are_short_except_the_exercise(name: str) -> None:
    code = [cell for cell in stored(name).cells if cell.cell_type == "code"]
    long = [cell.source for cell in code if "exercise" not in cell.metadata.get("tags", [])]
    assert [source for source in long if len(source.splitlines()) > MOST_LINES] == []
    assert sum("exercise" in cell.metadata.get("tags", []) for cell in code) == (name in LESSONS)


@EACH_LESSON
def test_a_lesson_contains_the_exercise_that_is_graded(name: str) -> None:
    (cell,) = [cell for cell in stored(name).cells if "exercise" in cell.metadata.get("tags", [])]
    assert class_in(cell.source) == class_in(load_exercise(int(name[:2])).given)


def class_in(source: str) -> str:
    (found,) = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return ast.unparse(found)


@pytest.mark.timeout(150)
@EACH_RUN
def test_a_notebook_runs_without_errors_in_a_fresh_kernel(name: str) -> None:
    notebook, _ = executed(name)
    found = outputs(notebook)
    assert [output for output in found if output.output_type == "error" or output.get("name") == "stderr"] == []


@EACH_LESSON_RUN
def test_a_lesson_shows_figures_with_text_and_a_verdict(name: str) -> None:
    data = [output.get("data", {}) for output in outputs(executed(name)[0])]
    figures = [bundle["text/plain"] for bundle in data if "image/png" in bundle]
    assert len(figures) >= 3
    assert all(figures)
    text = " ".join(bundle.get("text/markdown", "") for bundle in data)
    assert f"**Claim {name[:2]}: shown.**" in text
    assert "and no server is left running" in text


@EACH_LESSON_RUN
def test_an_unsolved_exercise_gets_an_answer_without_an_error(name: str) -> None:
    texts = [output.get("data", {}).get("text/markdown", "") for output in outputs(executed(name)[0])]
    assert sum(text.startswith("**Not yet.**") for text in texts) == 1


# not in the timing lane: the slow lane runs the notebooks anyway, one after the other
@pytest.mark.slow
@pytest.mark.timeout(LANE_SECONDS)
def test_a_lesson_takes_half_a_minute_and_all_take_five() -> None:
    if os.getloadavg()[0] > (psutil.cpu_count() or 1):
        pytest.skip("other processes keep this machine busy, so times are not valid")
    seconds = {name: executed(name)[1] for name in NOTEBOOKS}
    assert {name: lasted for name, lasted in seconds.items() if name in LESSONS and lasted > LESSON_SECONDS} == {}
    assert sum(seconds.values()) < ALL_SECONDS


def test_no_process_is_left() -> None:
    _, alive = psutil.wait_procs(marked_processes(), timeout=10)
    assert alive == []


def test_a_failing_cell_is_reported_in_one_line_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    source = tmp_path / "source" / "99_broken.py"
    source.write_text("# %% [markdown]\n# # Broken\n\n# %%\nraise ValueError('two\\nlines')\n")
    with pytest.raises(CellError) as failed:
        asyncio.run(Notebook(source).execute(tmp_path))
    assert str(failed.value) == "99_broken.ipynb: cell 1: ValueError: two lines"


def test_a_notebook_that_differs_from_its_source_is_reported(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    notebook = Notebook(tmp_path / "source" / "99_new.py")
    notebook.source.write_text("# %%\n1 + 1\n")
    assert notebook.drift() == "99_new.ipynb does not exist"
    notebook.save(notebook.read())
    assert notebook.drift() is None
    notebook.source.write_text("# %%\n1 + 2\n")
    assert notebook.drift() == "99_new.ipynb: cell 0 differs from its source"
    notebook.source.write_text("# %%\n1 + 1\n\n# %%\n2\n")
    assert notebook.drift() == "99_new.ipynb has 1 cells, its source 2"


def test_the_same_source_gives_the_same_notebook(tmp_path: Path) -> None:
    notebook = next(iter(NOTEBOOKS.values()))
    assert nbformat.writes(notebook.read()) == nbformat.writes(notebook.read())
    assert [cell.id for cell in notebook.read().cells][:2] == ["cell-00", "cell-01"]


def test_notebooks_are_found_by_number_name_or_file() -> None:
    assert [notebook.name for notebook in find_notebooks(["01"])] == ["01_stored_socket_ids"]
    assert find_notebooks(["notebooks/01_stored_socket_ids.ipynb"]) == find_notebooks(["01_stored_socket_ids"])
    with pytest.raises(NotebooksError, match="there is no notebook '77'; there are 00_start_here"):
        find_notebooks(["77"])


def test_an_unknown_name_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notebooks", "nothing"]) == 2
    assert capsys.readouterr().err.startswith("lab: there is no notebook 'nothing'")


def test_check_reports_that_all_notebooks_match(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notebooks", "--check"]) == 0
    assert "match their sources" in capsys.readouterr().out
