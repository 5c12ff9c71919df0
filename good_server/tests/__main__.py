"""Run a command or a child program of the tests.

An example is `python -m good_server.tests soak --help`. The commands are `ledger` (writes WITHSTANDS.md), `soak` (looks
for leaks), `protocol-suites` (runs the test suites of the Engine.IO and Socket.IO protocols) and `tracing-price`
(measures what tracing costs).

At its top, this file imports nothing of the package: the worker processes of reports run it again, outside of the
package.
"""

import importlib
import inspect
import sys

COMMANDS = ("ledger", "soak", "protocol-suites", "tracing-price")


def fail(problem):
    """End the program with exit code 2 and one line on stderr."""
    print(f"{__package__}: {problem}", file=sys.stderr)
    raise SystemExit(2)


def find(name):
    """Return the function `main` of a test module.

    The module's `name` may be written with hyphens.
    """
    try:
        module = importlib.import_module("." + name.replace("-", "_"), __package__)
    except ModuleNotFoundError as error:
        if not str(error.name).startswith(__package__):
            fail(f"{name} needs the module {error.name}, which is missing; see requirements-recipes.txt")
        module = None
    return getattr(module, "main", None) or fail(f"there is no command {name!r}; use one of {', '.join(COMMANDS)}")


def main(*arguments):
    """Run the command that the first argument names, with the other arguments."""
    if not arguments:
        fail(f"a command is missing; use one of {', '.join(COMMANDS)}")
    command = find(arguments[0])
    try:
        inspect.signature(command).bind(*arguments[1:])
    except TypeError:
        fail(f"{arguments[0]} does not take these arguments: {' '.join(arguments[1:]) or 'none'}")
    return command(*arguments[1:])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
