"""Writes files atomically: completely or not at all.

Before a long measurement, `why_not_writable` checks the path of its result, so that the result is not lost at the end.
"""

import contextlib
import errno
import os
import tempfile
from pathlib import Path


def why_not_writable(path: Path) -> str | None:
    """Returns one line that says why the file cannot be written.

    Returns None when it can be written.
    """
    try:
        if path.is_dir():
            return f"cannot write {path}: it is a folder"
        if path.exists() and not path.is_file():
            return None if os.access(path, os.W_OK) else f"cannot write {path}: {os.strerror(errno.EACCES)}"
        target = path.resolve()
        if target.is_symlink():
            # a loop of links, which Python 3.13 leaves as it is
            raise RuntimeError
        # with a name as long as later, which may be too long, and a content, as the disk may be full
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.") as file:
            file.write(b"-")
            file.flush()
    except OSError as error:
        return f"cannot write {path}: {os.strerror(error.errno or 0)}"
    except RuntimeError:
        # `resolve` raises this for a loop of links, before Python 3.13
        return f"cannot write {path}: {os.strerror(errno.ELOOP)}"
    return None


def write(path: Path, content: bytes) -> None:
    """Replaces the content of the file `path`, completely or not at all.

    A reader sees the old content or the new content, never a part of it. If `path` is a terminal or a pipe, the content
    is written to it directly. Raises `OSError`.
    """
    if path.exists() and not path.is_file():
        # a terminal or a pipe cannot be replaced by a file
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
