"""Tests the section "Find it in your own code" of each lesson.

It shows what the checker reports now, and the check leaves no file behind.
"""

import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from lab.check.mistakes import MISTAKES
from lab.check.result import Options
from lab.check.run import check
from lab.lessons import find_in_code as module
from lab.lessons.build_notebooks import find_notebooks
from lab.lessons.find_in_code import find_in_code
from lab.lessons.lesson import LessonError

NUMBERS = range(1, 11)
EACH = pytest.mark.parametrize("number", NUMBERS)
HEADING = "## Find it in your own code\n"
MOST_SENTENCES = 3
SOURCES = {int(notebook.name[:2]): notebook for notebook in find_notebooks()}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect what is shown below the cell; return the list."""
    outputs: list[Any] = []
    monkeypatch.setattr(module, "show_output", outputs.append)
    return outputs


def section(number: int) -> tuple[str, Any]:
    """Return the text of the section, and its stored code cell."""
    cells = nbformat.read(SOURCES[number].path, as_version=4).cells
    (place,) = [index for index, cell in enumerate(cells) if cell.source.startswith(HEADING)]
    return " ".join(cells[place].source.removeprefix(HEADING).split()), cells[place + 1]


def parts(markdown: str) -> list[str]:
    """Return the parts about the bad module and about the Node file."""
    return markdown.split("**`lab check ")[1:]


@EACH
def test_both_files_are_checked_by_the_real_checker(shown: list[Any], number: int, tmp_path: Path) -> None:
    find_in_code(number)
    python, node = parts(shown[0].markdown)
    assert python.startswith(f"bad_server/mistake_{number:02}_")
    assert node.startswith("server.js`**")
    if MISTAKES[number - 1].is_static:
        assert f"**RM{number:02}" in python
    assert f"**RM{number:02}" in node

    # the file that can be unfolded is the one that was checked
    code = node.split("```js\n")[1].split("```")[0]
    (tmp_path / "server.js").write_text(code, "utf-8")
    found = check([tmp_path / "server.js"], Options()).findings
    lines = [line for line in node.splitlines() if line.startswith("- line ")]
    assert len(found) == len(lines)
    for finding, line in zip(found, lines, strict=True):
        expected = f"- line {finding.line}, **{finding.rule} {finding.level}**: {finding.message}: `"
        assert line.replace("? `", "?: `").startswith(expected)
        assert finding.text in line


def test_an_invisible_mistake_names_the_command_that_measures_it(shown: list[Any], monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_bad_module", lambda mistake: Path(module.__file__))
    find_in_code(7)
    python, _ = parts(shown[0].markdown)
    assert "No finding" in python
    assert "lab compare --only 07" in python


def test_no_file_is_left_even_if_the_check_fails(
    shown: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    find_in_code(3)
    assert shown
    assert list(tmp_path.iterdir()) == []

    def fail(paths: list[Path], options: Options) -> Any:
        if paths[0].name == module.NODE_FILE:
            assert list(tmp_path.iterdir())
            raise RuntimeError("no report")
        return check(paths, options)

    monkeypatch.setattr(module, "check", fail)
    with pytest.raises(RuntimeError, match="no report"):
        find_in_code(3)
    assert list(tmp_path.iterdir()) == []


def test_code_with_backticks_stays_code() -> None:
    assert module._code("a") == "` a `"
    assert module._code("to(`b${c}`)") == "`` to(`b${c}`) ``"


def test_a_lesson_that_does_not_exist_is_refused() -> None:
    with pytest.raises(LessonError, match="there is no lesson 11"):
        find_in_code(11)


@EACH
def test_a_lesson_runs_the_checker_and_names_its_command(number: int) -> None:
    text, cell = section(number)
    assert "`lab check PATH`" in text
    assert text.count(". ") < MOST_SENTENCES
    assert cell.source == f"lab.find_in_code({number})"
    if not MISTAKES[number - 1].is_static:
        assert f"`lab compare --only {number:02}`" in text


@EACH
def test_the_stored_output_is_what_the_checker_reports_now(shown: list[Any], number: int) -> None:
    """If this fails, build the notebook again: lab notebooks NN."""
    find_in_code(number)
    (output,) = section(number)[1].outputs
    assert output.data["text/markdown"] == shown[0].markdown


@EACH
def test_a_lesson_draws_the_guess_into_its_last_comparison(number: int) -> None:
    cells = jupytext.read(SOURCES[number].source, fmt="py:percent").cells
    (place,) = [index for index, cell in enumerate(cells) if cell.source.startswith("## Side by side\n")]
    assert "If you made a guess, it stands below the title." in " ".join(cells[place].source.split())
    call = "lesson.side_by_side(figure, guess=my_guess, bad=bad, good=good)"
    assert cells[place + 1].source.splitlines()[-1] == call
