"""Test the command `lab live` as a separate process."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import psutil
import pytest
from lab.__main__ import main
from lab.live import serve
from lab.servers.process import ServerError

START_SECONDS = 40.0
END_SECONDS = 12.0


@contextlib.contextmanager
def running_lab(*arguments, folder):
    """Run `lab live`; yield the process and the printed address."""
    temporary = folder / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "live", *arguments],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("open http://127.0.0.1:"), process.stderr.read()
        yield process, line.removeprefix("open ").strip()
    finally:
        process.kill()
        process.communicate()


def assert_all_is_gone(family, url, folder):
    """No process, port or temporary file of the command is left."""
    _, alive = psutil.wait_procs(family, timeout=END_SECONDS)
    assert alive == []
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", int(url.partition("/?")[0].rpartition(":")[2]))) != 0
    assert [path.name for path in (folder / "temporary").glob("lab-*")] == []


def read_answer(command):
    """Send a command; whether it is answered does not matter."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        urllib.request.urlopen(command).close()  # noqa: S310 - our own address


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(tmp_path, number):
    with running_lab("03", "--no-browser", folder=tmp_path) as (process, url):
        family = psutil.Process(process.pid).children(recursive=True)
        assert family
        # a page is open, and an action is under way
        page = urllib.request.urlopen(url.replace("/?", "/events?"))  # noqa: S310 - our own address
        command = urllib.request.Request(url.replace("/?", "/do?"), data=b'{"action": "kill"}')  # noqa: S310 - our own address
        asking = threading.Thread(target=read_answer, args=(command,))
        asking.start()
        page.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=END_SECONDS)
        asking.join()
        page.close()
    assert process.returncode == 130
    assert errors == "lab: interrupted; every server is stopped\n"
    assert_all_is_gone(family, url, tmp_path)


@pytest.mark.slow
def test_the_session_ends_after_its_page_is_closed(tmp_path):
    with running_lab("03", "--no-browser", folder=tmp_path) as (process, url):
        family = psutil.Process(process.pid).children(recursive=True)
        page = urllib.request.urlopen(url.replace("/?", "/events?"))  # noqa: S310 - our own address
        began = time.monotonic()
        page.readline()
        page.close()
        output, errors = process.communicate(timeout=5 + END_SECONDS)
    assert time.monotonic() - began >= 5
    assert (process.returncode, errors) == (0, "")
    assert "the page was closed" in output
    assert_all_is_gone(family, url, tmp_path)


@pytest.mark.slow
def test_a_missing_browser_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("BROWSER", str(tmp_path / "no-such-browser"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DISPLAY", raising=False)
    with running_lab("03", folder=tmp_path) as (process, url):
        with urllib.request.urlopen(url.replace("/?", "/state?")) as answer:  # noqa: S310 - our own address
            assert json.load(answer)["mistake"] == "03"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=END_SECONDS)
    assert errors == "lab: interrupted; every server is stopped\n"


def run_lab(*arguments):
    command = [sys.executable, "-m", "lab", "live", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, check=False)


@pytest.mark.parametrize("arguments", [["11"], ["x"], ["--port", "70000"], ["--port", "-1"], ["03", "04"]])
def test_wrong_use_gets_one_line(arguments):
    result = run_lab(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1


def test_a_server_that_does_not_start_gets_one_line(monkeypatch, capsys):
    async def fail(_, address, **__):
        address.listener.close()
        raise ServerError("the bad server did not start: no answer in 30 s")

    monkeypatch.setattr(serve, "serve_until_closed", fail)
    monkeypatch.setattr("lab.cli.live.interrupt_on_sigterm", lambda: None)
    assert main(["live", "03", "--no-browser"]) == 1
    assert capsys.readouterr().err == "lab: the bad server did not start: no answer in 30 s\n"


def test_a_port_in_use_gets_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run_lab("03", "--port", str(port), "--no-browser")
    assert result.returncode == 2
    assert result.stderr == f"lab: port {port} of 127.0.0.1 cannot be used: Address already in use\n"
