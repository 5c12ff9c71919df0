"""Test `lab diagnose`: the prompt, answers without a prompt, and interruptions."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from lab.__main__ import main
from lab.diagnosis import session as sessions
from lab.diagnosis.cases import LETTERS, assign
from lab.diagnosis.measurement import Finding
from lab.results.claims import load_claims
from lab.results.run import Run

SEED = 4
TIMEOUT_SECONDS = 100
LAB = [sys.executable, "-m", "lab", "diagnose"]


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("lab.cli.diagnose.interrupt_on_sigterm", lambda: None)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def quick(monkeypatch):
    """Replace the measurement of servers by a number."""

    def found(ticket):
        return [Finding(load_claims()[number - 1], Run(12.0), Run(34.0)) for number in ticket.open().claims]

    async def measure_all(tickets, finished):
        return {ticket: found(ticket) for ticket in tickets}

    async def measure(ticket):
        return found(ticket)

    monkeypatch.setattr(sessions, "measure_all", measure_all)
    monkeypatch.setattr(sessions, "measure", measure)


def written(mistakes):
    """Return an answer as a learner writes it."""
    return "+".join(f"{number:02}" for number in mistakes) or "none"


def right(kind, letter):
    return written(assign(kind, SEED)[letter].mistakes)


def wrong(kind, letter):
    return "03" if right(kind, letter) != "03" else "04"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["6"], "there is no case '6'; there are 1 to 5"),
        (["two"], "there is no case 'two'"),
        (["--answer", "A"], "--answer A: write it like A=03"),
        (["--answer", "Z=03"], "there is no server 'Z'; there are A to E"),
        (["--answer", "A=12"], "'12' is not an answer; an answer is 01 to 10"),
        (["2", "--answer", "A=03"], "--answer A=03: this case is server B"),
        (["--exam", "3"], "the examination has no cases"),
        (["--page", "page.html"], "--page is the result page of the examination"),
        (["--exam", "--page", "/proc/nowhere/page.html"], "cannot write /proc/nowhere/page.html"),
        (["--seed", "x"], "invalid int value: 'x'"),
    ],
)
def test_a_usage_error_is_one_line_and_exit_code_2(arguments, message, capsys):
    assert main(["diagnose", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("lab: ")
    assert error.count("\n") == 1


def test_the_command_has_help_with_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["diagnose", "--help"])
    assert "example: lab diagnose 2" in capsys.readouterr().out


def test_usage_errors_do_not_import_heavy_modules():
    program = "import sys, lab.__main__ as m; m.main(['diagnose', 'x']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert not {"socketio", "nbclient", "IPython", "matplotlib", "rich", "pydantic"} & set(done.stdout.split())


def test_right_answers_without_a_prompt_are_measured(quick, capsys):
    answers = [f"{letter}={right('practice', letter)}" for letter in "ABCDE"]
    assert main(["diagnose", "--seed", str(SEED), "--answer", *answers]) == 0
    out = capsys.readouterr().out
    assert [f"{letter}: Right: " in out for letter in "ABCDE"] == [True] * 5
    assert "measures " in out
    assert ": 12 " in out
    assert ", 34 " in out


def test_a_wrong_answer_without_a_prompt_is_exit_code_1(quick, capsys):
    answer = wrong("practice", "B")
    assert main(["diagnose", "2", "--seed", str(SEED), "--answer", f"b={answer}"]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"B: Not {answer}. A server with this mistake ")
    assert not re.search(right("practice", "B"), out)


def test_an_examination_needs_all_answers_and_then_tells(quick, tmp_path, capsys):
    command = ["diagnose", "--exam", "--seed", str(SEED), "--answer"]
    answers = [f"{letter}={right('exam', letter)}" for letter in LETTERS]
    assert main([*command, *answers[:-1]]) == 1
    assert capsys.readouterr().out == "not handed in: K have no answer yet; ? gives one up\n"
    assert main([*command, *answers[:-1], "K=?"]) == 1
    out = capsys.readouterr().out
    assert "10 of 11 servers diagnosed" in out
    page = Path(re.search(r"the result as a page: (\S+)", out)[1])
    assert page.is_relative_to(tmp_path)
    assert "10 of 11 servers diagnosed" in page.read_text("utf-8")


def test_all_right_answers_pass_the_examination(quick, tmp_path, capsys):
    answers = [f"{letter}={right('exam', letter)}" for letter in LETTERS]
    page = ["--page", str(tmp_path / "mine.html")]
    assert main(["diagnose", "--exam", "--seed", str(SEED), "--answer", *answers, *page]) == 0
    assert "11 of 11" in (tmp_path / "mine.html").read_text("utf-8")


def talk(arguments, lines):
    """Run the command with these lines as its input."""
    text = "".join(f"{line}\n" for line in lines)
    return subprocess.run(
        [*LAB, *arguments], input=text, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )


@pytest.mark.timeout(120)
def test_a_server_is_examined_at_the_prompt():
    lines = ["help", "open ana", "open bob", "say ana bob hello you", "cut bob", "look", "nonsense", "say ana"]
    lines += ["ask ana lab:test", "ask ana room:join {", 'flood ana 3 chat:send {"to": "bob", "text": "x"}']
    lines += ["silence bob", "close bob", "cut eve", "open eve stranger", "quit"]
    done = talk(["2", "--seed", str(SEED)], lines)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"The same servers again: lab diagnose --seed {SEED}\nCase 2, server B: ")
    for expected in (
        "open: bob\n",
        '{"ok": true, "data": {',
        "bob lost its connection and is back\n",
        'bob: connected, 2 connects\n    chat:message {"from": {"id": "ana", "role": "vendor"}, "to": "bob"',
        "connections open\n",
        "there is no command 'nonsense'; type help\n",
        "use it like this: say TAB USER|job:ID TEXT\n",
        '{"ok": false, "error": {"code": "unknown_event"',
        "this is not JSON: ",
        "ok: 3\n",
        "nothing passes on the connection of bob",
        "bob is closed\n",
        "there is no tab 'eve'; there are: ana, bob\n",
        "it did not work: ",
    ):
        assert expected in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_answers_at_the_prompt_may_be_repeated_until_right():
    lines = [f"answer {wrong('practice', 'B')}", "answer seven", "answer", f"answer {right('practice', 'B')}"]
    done = talk(["2", "--seed", str(SEED)], lines)
    assert done.returncode == 0
    assert f"Not {wrong('practice', 'B')}." in done.stdout
    assert "'seven' is not an answer" in done.stdout
    assert "use it like this: answer 01 to 10|02+03|none" in done.stdout
    assert re.search(r"Right: .*\nIts scenario is measured …\nThe scenario of lesson \d\d measures ", done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_examination_at_the_prompt_is_not_handed_in_early():
    lines = ["answer 03", "server b", "server Z", "open ana", "restart", "url", "answer ?", "quit"]
    done = talk(["--exam", "--seed", str(SEED)], lines)
    assert done.returncode == 1
    assert "noted: A=03\nServer B. Nobody has complained yet.\n" in done.stdout
    assert "there is no server 'Z'; there are A to K" in done.stdout
    assert "the server was killed, and runs again" in done.stdout
    assert done.stdout.endswith("not handed in: C, D, E, F, G, H, I, J, K have no answer yet; ? gives one up\n")


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("sent_signal", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_diagnosis_leaves_nothing_behind(sent_signal, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [*LAB, "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        process.stdin.write("open ana\n")
        process.stdin.flush()
        while "open: ana" not in process.stdout.readline():
            assert process.poll() is None
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(sent_signal)
        # its stdin stays open: the command must not wait for the next line
        process.wait(timeout=20)
        error = process.stderr.read()
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, error) == (130, "lab: interrupted; every server is stopped\n")
    assert family
    assert psutil.wait_procs(family, timeout=20)[1] == []
    assert list(temporary.iterdir()) == []
