"""Test that only changed code is reported, and joins that disappeared."""

import json

import pytest
from lab.check.git import Change, Hunk

OLD = "socket\nfunction send() {\n  EMIT\n}\nfunction connect() {\n  socket.join(user)\n  done()\n}\n"


@pytest.fixture
def committed(git, write):
    """A repository with one commit."""
    write(src__a_js=OLD, src__b_js="EMIT\n")
    git("add", ".")
    git("commit", "-m", "first")


def since(lab, *arguments, ref="HEAD"):
    _, out, errors = lab(*(arguments or (".",)), "--since", ref, "--format", "json")
    assert errors == ""
    return [(finding["rule"], finding["path"], finding["line"]) for finding in json.loads(out)["findings"]]


@pytest.mark.usefixtures("committed")
def test_unchanged_code_is_not_reported(lab):
    assert since(lab) == []
    out = lab(".", "--since", "HEAD")[1]
    assert "nothing more: 2 in unchanged code" in out


CHANGES = [
    (OLD.replace("EMIT", "EMIT EMIT"), [("RM021", "src/a.js", 3)]),
    ("// a line\n" + OLD, []),
    (OLD + "STORE\n", [("RM011", "src/a.js", 9)]),
    # without its line end, the last line is another line
    (OLD + "STORE", [("RM011", "src/a.js", 9)]),
    ("++ b/x\n" + OLD + "-- a/x\nSTORE\n", [("RM011", "src/a.js", 11)]),
]


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize(("text", "reported"), CHANGES)
def test_findings_in_changed_lines_are_reported(lab, write, text, reported):
    write(src__a_js=text)
    assert since(lab) == reported


@pytest.mark.usefixtures("committed")
def test_a_finding_beside_removed_lines_is_reported(lab, write, git):
    write(src__a_js="socket\nif (guard) return\nEMIT\nlast\n")
    git("commit", "-am", "second")
    write(src__a_js="socket\nEMIT\nlast\n")
    assert since(lab) == [("RM021", "src/a.js", 2)]


@pytest.mark.usefixtures("committed")
def test_a_new_file_is_changed_before_git_knows_it(lab, write, git):
    write(src__c_js="STORE\n")
    assert since(lab) == [("RM011", "src/c.js", 1)]
    git("add", ".")
    assert since(lab) == [("RM011", "src/c.js", 1)]


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("name", ["a b.js", "é.js", 'quote".js', "tab\t.js", "line\n.js"])
def test_files_with_unusual_names_are_compared(lab, folder, git, name):
    (folder / name).write_text("socket\n")
    git("add", ".")
    git("commit", "-m", "second")
    (folder / name).write_text("socket\nEMIT\n")
    assert since(lab) == [("RM021", name, 2)]


@pytest.mark.usefixtures("committed")
def test_paths_are_found_from_every_folder(lab, write, monkeypatch, folder):
    write(src__a_js=OLD.replace("EMIT", "EMIT EMIT"))
    assert since(lab, "src") == [("RM021", "a.js", 3)]
    assert since(lab, "src/a.js", "src/b.js") == [("RM021", "src/a.js", 3)]
    monkeypatch.chdir("/")
    assert since(lab, folder) == [("RM021", "src/a.js", 3)]


@pytest.mark.usefixtures("committed")
def test_settings_of_git_do_not_change_the_comparison(lab, write, git):
    for name, value in (("diff.noprefix", "true"), ("diff.mnemonicPrefix", "true"), ("color.diff", "always")):
        git("config", name, value)
    write(src__a_js=OLD.replace("EMIT", "EMIT EMIT"))
    assert since(lab) == [("RM021", "src/a.js", 3)]


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("ref", ["gone", "--help", "-x", "", "HEAD:src"])
def test_a_commit_that_does_not_exist_is_a_usage_error(lab, ref):
    code, out, errors = lab(".", f"--since={ref}")
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert errors.startswith(f"lab: --since {ref}: there is no such commit")


def test_without_git_it_is_a_usage_error(lab, write, monkeypatch):
    write(a_js="socket\n")
    monkeypatch.setenv("PATH", "/nowhere")
    assert lab(".", "--since", "HEAD") == (2, "", "lab: --since HEAD: git is not installed\n")


REMOVED = OLD.replace("  socket.join(user)\n", "")


@pytest.mark.usefixtures("committed")
def test_a_join_that_disappeared_is_reported(lab, write):
    write(src__a_js=REMOVED)
    assert since(lab) == [("RM030", "src/a.js", 5)]
    code, out, _ = lab(".", "--since", "HEAD", "--strict")
    assert code == 1
    assert "  `socket.join(user)` in connect was removed since HEAD\n" in out


@pytest.mark.usefixtures("committed")
def test_a_removed_join_points_to_the_code_beside_it(lab, write):
    write(src__a_js=REMOVED.replace("function connect", "  function connect"))
    assert "src/a.js:5:3 RM030 warning" in lab(".", "--since", "HEAD")[1]


STILL_JOINED = [
    {"src__a_js": OLD.replace("user", "member")},
    {"src__a_js": OLD.replace("  socket.join(user)", "\n\n  socket.join(user)")},
    {"src__a_js": REMOVED, "src__b_js": "EMIT\nfunction join() {\n  socket.join(user)\n}\n"},
    {"src__a_js": REMOVED, "src__new_js": "socket.join(user)\n"},
    {"src__a_js": OLD.replace("function connect", "function joined")},
]


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("files", STILL_JOINED)
def test_a_join_that_moved_is_not_reported(lab, write, files):
    write(**files)
    assert [finding for finding in since(lab) if finding[0] == "RM030"] == []


@pytest.mark.usefixtures("committed")
def test_one_of_two_equal_joins_is_missed(lab, write, git):
    write(src__a_js=OLD.replace("done()", "socket.join(user)"))
    git("commit", "-am", "second")
    write(src__a_js=OLD)
    assert [rule for rule, _, _ in since(lab)] == ["RM030"]


@pytest.mark.usefixtures("committed")
def test_a_removed_join_can_be_suppressed(lab, write):
    write(src__a_js=REMOVED.replace("connect() {", "connect() { // lab: ignore[RM030] the room is gone"))
    assert since(lab) == []
    # without --since, nobody looks for joins
    assert lab("src/a.js", "--select", "RM000,RM030")[1].endswith(": nothing found\n")


@pytest.mark.parametrize(("old", "new"), [(1, 1), (2, 2), (4, 6), (5, 7), (6, 8), (7, 8), (8, 8), (9, 9)])
def test_old_lines_are_mapped_to_new_ones(old, new):
    change = Change("a.js", [Hunk(2, 0, 3, 2), Hunk(5, 1, 7, 1), Hunk(7, 2, 8, 0)])
    assert change.new_line(old) == new
