"""Run a child program of the tests: `python -m good_server.tests heap_server`.

It imports nothing of the package at the top: the worker processes of reports run this file again, outside its package.
"""

import importlib
import sys


def main(name, *arguments):
    """Run the `main` of this module of the tests."""
    return importlib.import_module(f".{name}", __package__).main(*arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
