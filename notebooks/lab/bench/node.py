"""Installs and finds Socket.IO for Node, a server that `lab bench` measures."""

import shutil
import subprocess
from importlib import resources
from pathlib import Path

import orjson
from platformdirs import user_cache_path

from lab.system.end_with_parent import ending_with_parent

FILES = ("package.json", "server.mjs")
INSTALL_SECONDS = 300.0
MAJOR = "4"


class NodeError(Exception):
    """Socket.IO for Node cannot be installed.

    The message is one line with the reason.
    """


def folder() -> Path:
    """Returns the folder of the Node server and its packages.

    The folder is in the user's cache, never in the repository.
    """
    return user_cache_path("rooms-not-ids") / "bench-node"


def version() -> str | None:
    """Returns the installed version of Socket.IO for Node.

    Returns None when Socket.IO is not installed or not version 4, or when Node is missing.
    """
    try:
        package = orjson.loads((folder() / "node_modules" / "socket.io" / "package.json").read_bytes())
        found = str(package["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if shutil.which("node") and found.split(".")[0] == MAJOR else None


def why_absent() -> str:
    """Returns one line that says how to install Socket.IO for Node."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node is not measured: install Node.js (with npm), then run lab bench --with-node once"
    return "node is not measured: run lab bench --with-node once, which installs the npm package socket.io 4"


def install() -> None:
    """Installs the npm package socket.io 4 into the user's cache folder.

    It does nothing when the package is already installed. Raises `NodeError` when the installation fails.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NodeError("--with-node needs Node.js with npm, but it is not on the PATH")
    if version() is not None:
        return
    try:
        copy_files()
        npm_install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        command = ending_with_parent(npm_install)
        done = subprocess.run(  # noqa: S603 - npm itself, with fixed arguments
            ending_with_parent(command),
            cwd=folder(),
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NodeError(f"npm install took longer than {INSTALL_SECONDS:.0f} s") from None
    except OSError as error:
        raise NodeError(f"cannot write {folder()}: {error.strerror}") from None
    if version() is None:
        raise NodeError(f"npm install failed: {(done.stderr.strip() or 'it installed no socket.io 4').splitlines()[0]}")


def copy_files() -> None:
    """Copies the lab's Node server into the folder of its npm packages.

    Node finds the packages only from there. Raises `OSError` when a file cannot be written.
    """
    folder().mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder() / name).write_bytes((resources.files("lab.bench") / "node" / name).read_bytes())
