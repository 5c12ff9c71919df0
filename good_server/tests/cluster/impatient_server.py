"""Two server processes whose parent soon kills one that does not stop."""

from functools import partial

from ...__main__ import run
from ...cluster import workers
from ...settings import load_settings
from ..stand_in import create_app

CLOSE_SECONDS = 0.5


def main():
    workers.run_workers = partial(workers.run_workers, close_seconds=CLOSE_SECONDS)
    return run("impatient", load_settings(), create_app, workers=2)
