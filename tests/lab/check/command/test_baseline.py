"""Test that known findings are recognised after edits."""

import json

import pytest

OLD = "socket\nfunction send() {\n  EMIT\n}\n"


@pytest.fixture
def known(lab, write):
    """A baseline of one finding."""
    write(src__a_js=OLD)
    code, _, errors = lab(".", "--write-baseline", "known.json")
    assert (code, errors) == (0, "")


def new_errors(lab, *arguments):
    found = json.loads(lab(*arguments, "--baseline", "known.json", "--format", "json")[1])["findings"]
    return [(finding["path"], finding["line"]) for finding in found]


@pytest.mark.usefixtures("known")
def test_a_baseline_holds_no_line_numbers(folder):
    row = {"rule": "RM021", "path": "src/a.js", "function": "send", "text": "EMIT", "count": 1}
    assert json.loads((folder / "known.json").read_text()) == {"schema": 1, "findings": [row]}


EDITS = ["// a line above\n" + OLD, OLD.replace("  EMIT", "\tEMIT  "), OLD + "function other() {}\n"]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("text", EDITS)
def test_a_known_finding_is_not_reported_after_an_edit(lab, write, text):
    write(src__a_js=text)
    assert new_errors(lab, ".") == []


NEW = [
    (OLD.replace("EMIT", "EMIT()"), [("src/a.js", 3)]),
    (OLD.replace("send", "other"), [("src/a.js", 3)]),
    (OLD.replace("EMIT", "EMIT\n  EMIT"), [("src/a.js", 4)]),
    (OLD.replace("EMIT", "STORE"), [("src/a.js", 3)]),
]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(("text", "reported"), NEW)
def test_a_new_finding_is_reported(lab, write, text, reported):
    write(src__a_js=text)
    assert new_errors(lab, ".") == reported


@pytest.mark.usefixtures("known")
def test_a_baseline_serves_any_folder_that_is_checked(lab):
    assert [new_errors(lab, path) for path in ("src", "src/a.js", ".")] == [[], [], []]


@pytest.mark.usefixtures("known")
def test_known_errors_do_not_fail_the_check(lab):
    code, out, _ = lab(".", "--baseline", "known.json", "--strict")
    assert code == 0
    assert "02 emit to a socket id       nothing more: 1 in the baseline\n" in out
    assert out.endswith(": nothing found (1 in the baseline)\n")


def test_suppressed_findings_are_not_written(lab, write, folder):
    write(a_js="socket EMIT // lab: ignore[RM021] a test\n")
    lab(".", "--write-baseline", "known.json")
    assert json.loads((folder / "known.json").read_text())["findings"] == []


INVALID = [
    "",
    "[",
    "[]",
    "{}",
    '{"schema": 2, "findings": []}',
    '{"schema": 1, "findings": [{}]}',
    '{"schema": 1, "findings": [{"rule": 1, "path": "a", "function": "", "text": "", "count": 1}]}',
    '{"schema": 1, "findings": [{"rule": "RM021", "path": "a", "function": "", "text": "", "count": 0}]}',
    '{"schema": 1, "findings": 5}',
    "[" * 100000,
    "\0",
]


@pytest.mark.parametrize("text", INVALID)
def test_an_invalid_baseline_is_a_usage_error(lab, write, folder, text):
    write(a_js="socket\n")
    (folder / "known.json").write_text(text)
    code, out, errors = lab(".", "--baseline", "known.json")
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert errors.startswith("lab: --baseline: known.json is no")
    assert errors.endswith("; write it with --write-baseline\n")
