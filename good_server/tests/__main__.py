"""Run a command or a child program of the tests.

An example is `python -m good_server.tests soak --help`. The commands are `ledger` (writes WITHSTANDS.md), `soak` (looks
for leaks), `protocol-suites` (runs the test suites of the Engine.IO and Socket.IO protocols) and `tracing-price`
(measures what tracing costs).

At its top, this file imports nothing of the package: the worker processes of reports run it again, outside of the
package.
"""

import importlib
import sys


def main(name, *arguments):
    """Call the function `main` of the test module with this name. It may be written with hyphens."""
    return importlib.import_module("." + name.replace("-", "_"), __package__).main(*arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
