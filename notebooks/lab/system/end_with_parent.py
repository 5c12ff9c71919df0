"""Lets the operating system kill this process when its parent process ends.

The kernel sends the signal, so it ends also a process that never runs Python again, for example one whose only thread
is in a C function. Run as a program, this file starts another one: `end_with_parent.py PARENT_PID COMMAND…`. It imports
only the standard library, because it runs without site-packages.
"""

import os
import signal
import sys
from collections.abc import Sequence

# prctl(2) of Linux
PR_SET_PDEATHSIG = 1


def end_with_parent() -> bool:
    """Ask the operating system to kill this process when its parent ends.

    More exactly: when the thread ends that created this process. It is lost at a fork and kept at an exec. A caller
    has to check afterwards that the parent had not ended before. Returns False where the system has no such signal:
    only Linux has one.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0)


def ending_with_parent(command: Sequence[str]) -> list[str]:
    """Return a command that runs `command`, and ends with the calling process.

    `command` keeps its process id, its environment and its files. Where the system has no such signal, it is returned
    unchanged. Call this in the process that starts the command, and start it from a thread that lasts: from the main
    thread.
    """
    if sys.platform != "linux":
        return list(command)
    # -I and -S: start fast, and import nothing from the working folder or from PYTHONPATH
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main(parent_pid: str, *command: str) -> None:
    """Become `command`, unless the parent process has ended already."""
    end_with_parent()
    # the signal is not sent for a parent that ended before it was asked for
    if os.getppid() == int(parent_pid):
        os.execvp(command[0], command)  # noqa: S606 - it is the command that the caller wants to run


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
