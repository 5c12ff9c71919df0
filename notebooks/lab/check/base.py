"""Finds the folder that the paths in a report are relative to."""

import os
from collections.abc import Sequence
from pathlib import Path

from lab.system.exit_codes import UsageError


def base_of(paths: Sequence[Path]) -> Path:
    """Return the folder that the paths in a report are relative to.

    `paths` are the files and folders to check. If the only path is a folder, the result is this folder. If the only
    path is a file outside the working folder, the result is the folder of the file. Otherwise the result is the working
    folder.
    """
    if len(paths) == 1 and paths[0].is_dir():
        return paths[0]
    here = Path.cwd()
    if len(paths) == 1 and not paths[0].resolve().is_relative_to(here.resolve()):
        return paths[0].parent
    return here


def check_readable(paths: Sequence[Path]) -> None:
    """Raise `UsageError` if one of the paths cannot be read."""
    for path in paths:
        try:
            if path.is_dir():
                os.scandir(path).close()
            else:
                path.open("rb").close()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UsageError(f"cannot read {path}: {reason}") from None


def from_working_folder(base: Path, path: str) -> str:
    """Return the path of a checked file, relative to the working folder.

    `path` is relative to the folder `base`. If `base` is outside the working folder, `path` is returned unchanged.
    Otherwise the result has `/` as separator. Code hosts such as GitHub need paths that are relative to the
    repository's root, so run the checker in this root for them.
    """
    try:
        folder = base.resolve().relative_to(Path.cwd().resolve())
    except ValueError:
        return path
    return (folder / path).as_posix()
