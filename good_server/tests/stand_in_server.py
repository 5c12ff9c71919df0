"""A server process with the stand-in product of the tests.

Run it with `python -m good_server.tests stand_in_server [--workers N]`.
"""

import argparse

from ..__main__ import add_workers, run
from ..settings import load_settings
from .stand_in import create_app


def main(*arguments):
    parser = argparse.ArgumentParser()
    add_workers(parser)
    return run("stand-in", load_settings(), create_app, workers=parser.parse_args(arguments).workers)
