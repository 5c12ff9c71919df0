"""Test the command line of `lab check`."""

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from lab.__main__ import main

PROGRAM = [sys.executable, str(Path(__file__).with_name("conftest.py")), "check"]
ERROR, WARNING = "socket EMIT\n", "socket FETCH\n"


def test_code_with_an_error_gives_exit_code_1(lab, write):
    write(a_js=ERROR)
    code, out, errors = lab(".")
    assert (code, errors) == (1, "")
    assert "a.js:1:8 RM021 error  emit to a socket id taken from a map\n" in out


def test_code_without_errors_gives_exit_code_0(lab, write):
    write(a_js="socket.join(room)\nsocket ASK\n")
    code, out, _ = lab(".", "--strict")
    assert code == 0
    assert "RM081 question" in out


def test_code_without_socket_io_says_so(lab, write):
    write(a_js="let a = 1\n")
    code, out, errors = lab(".", "--strict")
    assert (code, errors) == (0, "")
    assert out.startswith("1 file checked in ")
    assert out.endswith(": no Socket.IO in .\n")


def test_warnings_fail_only_a_strict_check(lab, write):
    write(a_js="socket // lab: ignore[RM021] the id is gone\n")
    assert [lab(".")[0], lab(".", "--strict")[0]] == [0, 1]


def test_an_unreadable_file_is_named_and_the_rest_is_checked(lab, write, folder):
    write(a_js=ERROR)
    (folder / "b.js").write_bytes(b"socket \xff")
    code, out, errors = lab(".")
    assert (code, errors) == (1, "lab: cannot read b.js: not UTF-8\n")
    assert "RM021" in out
    assert "; 1 file not read in full\n" in out


def test_an_unreadable_file_fails_only_a_strict_check(lab, folder):
    (folder / "b.js").write_bytes(b"socket \xff")
    assert [lab(".")[0], lab(".", "--strict")[0]] == [0, 1]


WRONG_USES = [
    ([], "the following arguments are required: PATH; see lab check --help"),
    (["gone"], "cannot read gone: No such file or directory"),
    ([".", "--format", "xml"], "argument --format: invalid choice: 'xml'"),
    (
        [".", "--select", "RM999"],
        "--select: there is no rule 'RM999'; there are RM000, RM011, RM021, RM022, RM030",
    ),
    ([".", "--select", "RM021,"], "--select: there is no rule ''"),
    ([".", "--ignore", "11"], "--ignore: there is no rule '11'"),
    ([".", "--ignore", "RM"], "--select, --ignore and --no-accounts leave no rule"),
    (["--explain", "RM02"], "--explain: there is no rule 'RM02'; there are RM000, RM011"),
    ([".", "--baseline", "gone.json"], "--baseline: cannot read gone.json: No such file or directory"),
    ([".", "--write-baseline", "gone/b.json"], "cannot write gone/b.json: No such file or directory"),
    ([".", "--since", "HEAD"], "--since HEAD: no git repository"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_USES)
def test_wrong_use_is_one_line_and_exit_code_2(lab, monkeypatch, tmp_path, arguments, message):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    code, out, errors = lab(*arguments)
    assert (code, out) == (2, "")
    assert errors.startswith(f"lab: {message}")
    assert errors.count("\n") == 1


SELECTIONS = [
    (["--select", "RM021"], {"RM021"}),
    (["--select", "rm02"], {"RM021", "RM022"}),
    (["--select", "02,RM081"], {"RM021", "RM022", "RM081"}),
    (["--select", "2", "--ignore", "RM021"], {"RM022"}),
    (["--ignore", "01,02"], {"RM000", "RM030", "RM081"}),
    (["--no-accounts"], {"RM000", "RM011", "RM021", "RM022", "RM030"}),
]


@pytest.mark.parametrize(("arguments", "rules"), SELECTIONS)
def test_rules_are_chosen_by_id_prefix_and_mistake(lab, write, monkeypatch, arguments, rules):
    results = []
    monkeypatch.setattr("lab.cli.check._report", lambda result, _options: results.append(result))
    write(a_js=ERROR)
    lab(".", *arguments)
    assert {rule.id for rule in results[0].rules} == rules


def test_paths_are_relative_to_the_folder_that_is_given(lab, write):
    write(app__src__a_js=ERROR)
    assert "\nsrc/a.js:1:8 RM021" in "\n" + lab("app")[1]


def test_paths_of_several_folders_begin_at_the_working_folder(lab, write):
    write(app__a_js=ERROR, web__b_js=ERROR)
    _, out, _ = lab("app", "web")
    assert [line.split()[0] for line in out.splitlines() if " RM021 error" in line] == ["app/a.js:1:8", "web/b.js:1:8"]


def test_a_rule_that_fails_is_named_and_the_others_report(lab, write, monkeypatch):
    from lab.check.own_rules import every_rule

    def find(facts):
        raise KeyError("room")

    broken = next(rule for rule in every_rule() if rule.id == "RM011")
    monkeypatch.setattr(type(broken), "__setattr__", object.__setattr__)
    monkeypatch.setattr(broken, "find", find)
    write(a_js=ERROR)
    code, out, errors = lab(".")
    assert (code, "RM021 error" in out) == (1, True)
    assert errors == "lab: RM011 failed and reports nothing (KeyError: 'room'); please report it\n"


@pytest.mark.parametrize("arguments", [["check", "--help"]])
def test_the_command_has_help_with_an_example(arguments, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 0
    assert "example: lab check src" in capsys.readouterr().out


def test_a_usage_error_imports_no_analysis():
    program = "import sys, lab.__main__ as m; m.main(['check']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert not {"tree_sitter", "rich", "pydantic", "lab.check.run"} & set(done.stdout.split())


def test_a_reader_that_has_gone_is_no_error(write, folder):
    write(a_js=ERROR * 5000)
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*PROGRAM, "."], stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_full_disk_is_a_one_line_error(write, folder):
    write(a_js=ERROR)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*PROGRAM, "."], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "lab: cannot write the report: No space left on device\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_with_exit_code_130(lab, monkeypatch, number):
    monkeypatch.setattr("lab.check.run.Facts.of", lambda *_: signal.raise_signal(number))
    before = signal.getsignal(signal.SIGTERM)
    code, out, errors = lab(".")
    signal.signal(signal.SIGTERM, before)
    assert (code, out) == (130, "")
    assert errors.startswith("lab: interrupted")


def in_terminal(*arguments, stream="stdout", **variables):
    """Run the command in a terminal, and return its text."""
    outer, inner = pty.openpty()
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: inner}
    environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    environment |= {"TERM": "xterm-256color", **variables}
    printed = []

    def read():
        # a pty ends with an error
        try:
            while data := os.read(outer, 4096):
                printed.append(data)
        except OSError:
            pass

    reader = threading.Thread(target=read)
    reader.start()
    subprocess.run([*PROGRAM, *arguments], timeout=60, check=False, env=environment, **streams)
    os.close(inner)
    reader.join(10)
    os.close(outer)
    return b"".join(printed).decode()


def test_a_terminal_gets_colours(write):
    write(a_js=ERROR)
    assert "\x1b[1;31merror" in in_terminal(".")


def test_no_color_prints_no_escapes_in_a_terminal(write):
    write(a_js=ERROR)
    printed = in_terminal(".", NO_COLOR="1")
    assert "RM021 error" in printed
    assert "\x1b" not in printed


def test_progress_is_shown_on_stderr_of_a_terminal(write):
    write(a_js=ERROR)
    assert "rule RM" in in_terminal(".", stream="stderr")


def test_a_line_of_code_is_not_wrapped_in_a_terminal(write):
    write(a_js=ERROR)
    assert "\n      io.to(room).emit(event);" in in_terminal(".", COLUMNS="20").replace("\x1b[0m", "")
