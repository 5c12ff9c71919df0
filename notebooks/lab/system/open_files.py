"""Reads and increases the operating system's limit of open files."""

import sys

ENOUGH_FILES = 8192


def raise_open_files(enough: int = ENOUGH_FILES) -> str | None:
    """Increases this process's limit of open files to `enough`, if allowed.

    Returns one line of warning when the allowed limit is below `enough`, else None.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = enough if hard == resource.RLIM_INFINITY else min(enough, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if max(soft, wanted) >= enough:
        return None
    return f"lab: only {wanted} files may be open here; large runs need {enough} (ulimit -n)"


def open_files() -> int:
    """Returns how many files this process may have open."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
