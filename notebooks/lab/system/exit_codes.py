"""Exit codes and usage errors of the commands of `lab`.

A usage error prints one line and ends the command with exit code 2.
"""

import argparse
from typing import NoReturn

EXIT_DONE, EXIT_NOT_DONE, EXIT_WRONG_USE, EXIT_INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """A user's mistake on the command line.

    The message is one line that says what is wrong and what is allowed.
    """

    def _render_traceback_(self) -> list[str]:
        """Returns the error as IPython shows it in a notebook.

        It is the same line that a terminal shows.
        """
        return [f"lab: {self}"]


class Parser(argparse.ArgumentParser):
    """An argument parser with one-line error messages."""

    def error(self, message: str) -> NoReturn:
        """Raises `UsageError` with this message and the command that shows help."""
        raise UsageError(f"{message}; see {self.prog} --help")
