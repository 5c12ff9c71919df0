"""Tests the excerpts of source code that lessons show."""

import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
from lab.lessons.code_excerpt import ExcerptError, cut

MODULE = "bad_server.mistake_03_joins_the_room_once"


def lines_of(module: str) -> list[str]:
    spec = util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8").splitlines()


def test_a_function_is_found_by_name_and_shown_unchanged() -> None:
    excerpt = cut(MODULE, "log_in")
    ((name, first, last),) = excerpt.pieces
    assert name == "Handlers.log_in"
    assert excerpt.code.splitlines() == [line[4:] for line in lines_of(MODULE)[first - 1 : last]]
    assert excerpt.path == "bad_server/mistake_03_joins_the_room_once.py"


def test_constants_and_classes_come_in_the_order_of_the_file() -> None:
    excerpt = cut(MODULE, "SessionLogin", "SESSION_LOGIN")
    assert [name for name, _, _ in excerpt.pieces] == ["SESSION_LOGIN", "SessionLogin"]
    assert excerpt.code.startswith('SESSION_LOGIN = "session:login"\n\nclass SessionLogin')


def test_a_text_selects_the_smallest_statement_that_contains_it() -> None:
    assert cut(MODULE, "for room in").code.splitlines()[0].startswith("for room in rooms_at_connect(")


def test_only_highlighted_lines_end_in_an_arrow() -> None:
    code = cut(MODULE, "log_in", highlight=["request.join"]).code.splitlines()
    assert [line for line in code if line.endswith("  # <-")] == [line for line in code if "request.join" in line]


def test_an_excerpt_is_a_block_of_python_or_plain_text() -> None:
    excerpt = cut(MODULE, "SESSION_LOGIN")
    assert f"```python\n{excerpt.code}\n```" in excerpt._repr_markdown_()
    assert excerpt.code in repr(excerpt)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bad_server.mistake_11", "joined"), "there is no module bad_server.mistake_11"),
        (("no_such.thing", "joined"), "there is no module no_such.thing"),
        ((MODULE, "leave"), f"{MODULE} has no 'leave'"),
        ((MODULE, "request"), f"{MODULE} has 'request' more than once: line "),
    ],
)
def test_a_missing_or_ambiguous_name_is_refused_in_one_line(arguments: tuple[str, str], message: str) -> None:
    with pytest.raises(ExcerptError) as refused:
        cut(*arguments)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_a_highlight_that_marks_nothing_is_refused() -> None:
    with pytest.raises(ExcerptError, match="no line with 'gone' to highlight"):
        cut(MODULE, "log_in", highlight=["gone"])


def test_importing_the_lab_imports_nothing_heavy() -> None:
    program = (
        "import sys, lab; heavy = {'IPython', 'socketio', 'matplotlib', 'lab.lessons.code_excerpt'};"
        " assert not heavy & set(sys.modules); lab.show"
    )
    subprocess.run([sys.executable, "-c", program], timeout=30, check=True)
