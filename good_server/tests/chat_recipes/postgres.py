"""A real PostgreSQL server for the tests, in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from ..ports import is_open, lasting_port
from ..programs import installed
from ..waiting import PROCESS_SECONDS

# Debian installs the programs outside of the PATH
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def program(name):
    """Return the path of a program of PostgreSQL. Without it, the test is skipped."""
    return next((str(folder / name) for folder in reversed(DEBIAN) if (folder / name).exists()), None) or installed(
        name
    )


def as_user():
    """Return the start of a command: PostgreSQL refuses to run as root."""
    return ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []


@contextmanager
def running_postgres():
    """Run a PostgreSQL server during a block, and yield its URL. It listens on loopback only."""
    initdb, postgres = program("initdb"), program("postgres")
    folder, port = Path(tempfile.mkdtemp(prefix="postgres-")), lasting_port()
    process = None
    try:
        if as_user():
            shutil.chown(folder, "postgres")
        options = ["-D", str(folder / "data"), "-U", "chat", "-A", "trust", "--no-sync"]
        subprocess.run([*as_user(), initdb, *options], check=True, capture_output=True, timeout=120, cwd=folder)
        command = [postgres, "-D", str(folder / "data"), "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
        command += ["-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([*as_user(), *command], stdout=log, stderr=log, cwd=folder)
        deadline = time.monotonic() + 2 * PROCESS_SECONDS
        # no event says that it listens
        while not is_open(port):
            assert process.poll() is None, (folder / "log").read_text()[-500:]
            assert time.monotonic() < deadline, "postgres does not listen"
            time.sleep(0.05)
        yield f"postgresql://chat@127.0.0.1:{port}/postgres"
    finally:
        if process is not None:
            stop(folder, process)
        shutil.rmtree(folder, ignore_errors=True)


def stop(folder, process):
    """End PostgreSQL at once by its own command, and wait."""
    command = [*as_user(), program("pg_ctl"), "-D", str(folder / "data"), "stop", "-m", "immediate"]
    subprocess.run(command, capture_output=True, timeout=PROCESS_SECONDS, cwd=folder)
    try:
        process.wait(PROCESS_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
