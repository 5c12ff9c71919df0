"""Test that a signal ends `lab` while a server hangs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

SERVERS = Path(__file__).parents[1] / "servers"
# `lab` with a bad server that spins at its first client
LAB = """
import sys
from lab.__main__ import main
from lab.servers import process
process.APPS["bad"] = "spinning:create_app"
sys.exit(main(sys.argv[1:]))
"""
START_SECONDS = 40.0
END_SECONDS = 10.0
ALONE = ["compare", "--only", "01"]
SEVERAL = ["compare", "--only", "01,02,05"]


@contextmanager
def spinning_lab(arguments: list[str], kind: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run a command of `lab` until the bad server spins."""
    mark = folder / "spins"
    temporary = folder / "temporary"
    temporary.mkdir()
    paths = os.pathsep.join([str(SERVERS), os.environ.get("PYTHONPATH", "")])
    own = {"PYTHONPATH": paths, "SPIN": kind, "SPIN_MARK": str(mark), "TMPDIR": str(temporary)}
    process = subprocess.Popen(
        [sys.executable, "-c", LAB, *arguments],
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not mark.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.communicate()


def family_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def assert_gone(family: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(family, timeout=END_SECONDS)
    for process in alive:
        process.kill()
    assert alive == []


@pytest.mark.timing
@pytest.mark.parametrize(
    ("kind", "sent_signal", "arguments"),
    [
        ("c", signal.SIGTERM, ALONE),
        ("c", signal.SIGINT, SEVERAL),
        ("python", signal.SIGINT, ALONE),
        ("python", signal.SIGTERM, SEVERAL),
    ],
    ids=["c, sigterm", "c, ctrl-c, several", "python, ctrl-c", "python, sigterm, several"],
)
def test_a_spinning_server_does_not_delay_an_interruption(
    kind: str, sent_signal: signal.Signals, arguments: list[str], tmp_path: Path
) -> None:
    with spinning_lab(arguments, kind, tmp_path) as process:
        family = family_of(process)
        process.send_signal(sent_signal)
        output, _ = process.communicate(timeout=END_SECONDS)
    assert process.returncode == 130
    assert output == "lab: interrupted; every server is stopped\n"
    assert_gone(family)
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["c", "python"])
def test_a_killed_lab_leaves_no_spinning_server(kind: str, tmp_path: Path) -> None:
    with spinning_lab(SEVERAL, kind, tmp_path) as process:
        family = family_of(process)
        process.kill()
        process.wait()
        assert_gone(family)


@pytest.mark.slow
def test_sigterm_ends_a_lab_in_the_background_of_a_shell(tmp_path: Path) -> None:
    """A script lets a command in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with spinning_lab(ALONE, "python", tmp_path) as process:
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=END_SECONDS * 2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (process.returncode, output) == (130, "lab: interrupted; every server is stopped\n")
