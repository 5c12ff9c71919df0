"""Tests of the checker's time and memory on large projects."""

import json
import subprocess
import sys

import pytest

from .generated import write_project

FILES, MOST_SECONDS, RUNS = 500, 3.0, 3
MOST_MEGABYTES = 500
# the peak is that of a whole process, so each measurement needs its own; ru_maxrss would begin with this one's
PROGRAM = """
import contextlib, io, json, sys
from pathlib import Path
from lab.__main__ import main

out = io.StringIO()
with contextlib.redirect_stdout(out):
    code = main(["check", sys.argv[1], "--format", "json"])
report = json.loads(out.getvalue())
status = Path("/proc/self/status").read_text().splitlines()
peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
rules = sorted({finding["rule"] for finding in report["findings"]})
print(json.dumps({"code": code, "files": report["files"], "seconds": report["seconds"], "megabytes": peak,
                  "rules": rules, "unreadable": report["unreadable"]}))
"""


def measured(folder, timeout=50):
    """Check a folder in a new process, and return what `PROGRAM` prints."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, folder], capture_output=True, text=True, timeout=timeout, check=True
    )
    return json.loads(done.stdout)


def test_a_small_generated_project_is_checked(tmp_path):
    lines = write_project(tmp_path, 12)
    result = measured(tmp_path)
    assert 120 <= lines / 11 <= 180
    assert (result["code"], result["files"], result["unreadable"]) == (1, 12, [])
    # the generated code is really analysed: ids, emits, joins and cleaning
    assert {"RM011", "RM021", "RM051", "RM081"} <= {*result["rules"]}


def write_plain_files(folder, count):
    """Write files of 150 lines that have nothing to do with sockets."""
    folder.mkdir()
    for number in range(count):
        body = (
            "export const add{0} = (a, b) => a + b + {0};\n" if number % 2 else "def add{0}(a, b):\n    return a + b\n"
        )
        lines = 150 if number % 2 else 75
        path = folder / f"plain{number}.{'ts' if number % 2 else 'py'}"
        path.write_text("".join(body.format(line) for line in range(lines)))


@pytest.mark.timing
def test_five_hundred_files_take_three_seconds(tmp_path):
    """One file in five is about sockets."""
    (tmp_path / "sockets").mkdir()
    write_project(tmp_path / "sockets", FILES // 5)
    write_plain_files(tmp_path / "plain", FILES - FILES // 5)
    seconds = []
    for _ in range(RUNS):
        result = measured(tmp_path)
        assert (result["files"], result["unreadable"]) == (FILES, [])
        assert result["megabytes"] < MOST_MEGABYTES
        seconds.append(result["seconds"])
        if min(seconds) <= MOST_SECONDS:
            break
    assert min(seconds) <= MOST_SECONDS


def write_tree(folder, count):
    """Write a tree of which one file in forty is about sockets.

    The others are installed, built, minified, or about something else. Returns the number of files to look at.
    """
    for place in ("src", "node_modules/lib/dist", "dist", "web", "coverage"):
        (folder / place).mkdir(parents=True)
    sockets = count // 40
    write_project(folder / "src", sockets)
    looked_at = sockets
    for number in range(count - sockets):
        match number % 5:
            case 0 | 1:
                path, text = f"node_modules/lib/dist/m{number}.js", "socket.emit(1);\n" * 100
            case 2:
                path, text = f"dist/m{number}.js", "socket.emit(1);" * 4_000
            case 3:
                path, text = f"web/m{number}.min.js", "socket.emit(1);" * 4_000
            case _:
                path, text = f"web/m{number}.js", "export const add = (a, b) => a + b;\n" * 100
                looked_at += 1
        (folder / path).write_text(text)
    return looked_at


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_tree_of_twenty_thousand_files_stays_small(tmp_path):
    looked_at = write_tree(tmp_path, 20_000)
    result = measured(tmp_path, timeout=100)
    assert (result["files"], result["unreadable"]) == (looked_at, [])
    assert result["megabytes"] < MOST_MEGABYTES


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_thousand_files_about_sockets_stay_small(tmp_path):
    write_project(tmp_path, 1_000)
    result = measured(tmp_path, timeout=100)
    assert result["files"] == 1_000
    assert result["megabytes"] < MOST_MEGABYTES
