"""Answers for files that are written: whole or not at all, and refused before hours of work, not after."""

import contextlib
import os
import tempfile
from pathlib import Path


def why_not_writable(path: Path) -> str | None:
    """In one line why a file cannot be written there, or None when it can."""
    if path.is_dir():
        return f"cannot write {path}: it is a folder"
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            return None
    except OSError as error:
        return f"cannot write {path}: {os.strerror(error.errno or 0)}"


def write(path: Path, content: bytes) -> None:
    """Replaces a file at once, whoever reads it meanwhile; raises `OSError`."""
    if path.exists() and not path.is_file():
        # a terminal or a pipe cannot be replaced
        path.write_bytes(content)
        return
    path = path.resolve()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        temporary.chmod(path.stat().st_mode if path.exists() else 0o644)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
