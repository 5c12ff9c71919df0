"""Answers for how a command ends: at a wrong use with one line and exit code 2, at a signal in order."""

import argparse
import signal
from typing import NoReturn

EXIT_DONE, EXIT_NOT_DONE, EXIT_WRONG_USE, EXIT_INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """A user's mistake; the message is one line that says what is wrong and what would be right."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in a notebook: the same one line."""
        return [f"lab: {self}"]


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Raises `UsageError`."""
        raise UsageError(f"{message}; see {self.prog} --help")


def interrupt_on_sigterm() -> None:
    """From now on what ends a Ctrl-C in order ends a termination in order."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
