"""Exit codes of the commands, usage errors and signals.

A usage error prints one line and ends with exit code 2.
"""

import argparse
import signal
from typing import NoReturn

EXIT_DONE, EXIT_NOT_DONE, EXIT_WRONG_USE, EXIT_INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """A user's mistake on the command line.

    The message is one line that says what is wrong and what is allowed.
    """

    def _render_traceback_(self) -> list[str]:
        """Returns what IPython shows in a notebook: the same one line."""
        return [f"lab: {self}"]


class Parser(argparse.ArgumentParser):
    """An argument parser with one-line error messages."""

    def error(self, message: str) -> NoReturn:
        """Raises `UsageError`."""
        raise UsageError(f"{message}; see {self.prog} --help")


def interrupt_on_sigterm() -> None:
    """Handles SIGTERM like Ctrl-C, so that both stop every server."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
