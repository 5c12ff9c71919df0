"""Answers for the limits of the machine that stand in a measurement's way."""

ENOUGH_FILES = 8192


def raise_open_files() -> str | None:
    """Raises the soft limit of open files as far as it may go; returns one line of warning when that is too little."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(ENOUGH_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if max(soft, wanted) >= ENOUGH_FILES:
        return None
    return f"lab: at most {wanted} files may be open here; large runs want {ENOUGH_FILES} (ulimit -n)"
