"""Lets the operating system kill this process when its parent process ends.

The kernel sends SIGKILL. So the process ends even if it cannot run Python code any more, for example because its
only thread is in a C function. This file is also a program: `end_with_parent.py PARENT_PID COMMAND…` runs a command
that is killed when its parent ends. The file imports only the standard library, because the program runs without
site-packages.
"""

import os
import signal
import sys
from collections.abc import Sequence

# prctl(2) of Linux
PR_SET_PDEATHSIG = 1


def end_with_parent() -> bool:
    """Ask the operating system to kill this process when its parent ends.

    More exactly, the process is killed when the thread that created it ends. This setting survives an exec, but a
    forked child does not inherit it. The setting has no effect if the parent has already ended. So after the call,
    check that the parent still runs. Returns True if the setting was made. On systems other than Linux, which do not
    have this setting, the result is False.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0)


def ending_with_parent(command: Sequence[str]) -> list[str]:
    """Return a version of `command` that is killed when this process ends.

    The returned command replaces itself by `command`, so process id, environment and open files stay the same. On
    systems other than Linux, `command` is returned unchanged. Call this function in the process that starts the
    command. Start the command in the main thread, because the command is killed when the thread that started it ends.
    """
    if sys.platform != "linux":
        return list(command)
    # -I and -S: start fast, and import nothing from the working folder or from PYTHONPATH
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main(parent_pid: str, *command: str) -> None:
    """Replace this process by `command`, if its parent still runs.

    If the parent has already ended, this function returns without running `command`.
    """
    end_with_parent()
    # the signal is not sent for a parent that ended before it was asked for
    if os.getppid() == int(parent_pid):
        os.execvp(command[0], command)  # noqa: S606 - it is the command that the caller wants to run


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
