"""Code in lessons is cut from the module as it is now: found by name or by text, marked, or refused in one line."""

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


def test_a_function_is_found_by_its_own_name_and_shown_as_it_stands_in_the_file() -> None:
    excerpt = cut(MODULE, "log_in")
    ((name, first, last),) = excerpt.pieces
    assert name == "Handlers.log_in"
    assert excerpt.code.splitlines() == [line[4:] for line in lines_of(MODULE)[first - 1 : last]]
    assert excerpt.path == "bad_server/mistake_03_joins_the_room_once.py"


def test_constants_and_classes_are_found_and_come_in_the_order_of_the_file() -> None:
    excerpt = cut(MODULE, "SessionLogin", "SESSION_LOGIN")
    assert [name for name, _, _ in excerpt.pieces] == ["SESSION_LOGIN", "SessionLogin"]
    assert excerpt.code.startswith('SESSION_LOGIN = "session:login"\n\nclass SessionLogin')


def test_a_text_stands_for_the_smallest_statement_that_holds_it() -> None:
    assert cut(MODULE, "for room in").code.splitlines()[0].startswith("for room in rooms_at_connect(")


def test_highlighted_lines_end_in_an_arrow_and_no_other_does() -> None:
    code = cut(MODULE, "log_in", highlight=["request.join"]).code.splitlines()
    assert [line for line in code if line.endswith("  # <-")] == [line for line in code if "request.join" in line]


def test_it_is_rendered_as_a_block_of_python_and_reads_as_text() -> None:
    excerpt = cut(MODULE, "SESSION_LOGIN")
    assert f"```python\n{excerpt.code}\n```" in excerpt._repr_markdown_()
    assert excerpt.code in repr(excerpt)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("bad_server.mistake_11", "joined"), "there is no module bad_server.mistake_11"),
        (("no_such.thing", "joined"), "there is no module no_such.thing"),
        ((MODULE, "leave"), f"{MODULE} has no 'leave'"),
        ((MODULE, "request"), f"{MODULE} has 'request' more than once: line "),
    ],
)
def test_what_is_not_there_or_there_twice_is_refused_in_one_line(arguments: tuple[str, str], told: str) -> None:
    with pytest.raises(ExcerptError) as refused:
        cut(*arguments)
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


def test_a_highlight_that_marks_nothing_is_refused() -> None:
    with pytest.raises(ExcerptError, match="no line with 'gone' to highlight"):
        cut(MODULE, "log_in", highlight=["gone"])


def test_importing_the_lab_alone_is_light_and_its_names_are_found_all_the_same() -> None:
    program = (
        "import sys, lab; heavy = {'IPython', 'socketio', 'matplotlib', 'lab.lessons.code_excerpt'};"
        " assert not heavy & set(sys.modules); lab.show"
    )
    subprocess.run([sys.executable, "-c", program], timeout=30, check=True)
