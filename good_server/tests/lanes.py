"""Pytest hooks for the quick tests: how many workers, and a notice.

`pytest` without `-m` runs the quick lane: no slow tests, and none that measure time. The notice names the other lanes.
The configuration of pytest has the options `-n auto` and `--dist loadfile`, and pytest-xdist asks here for the number
of workers. Each `conftest.py` imports both hooks.
"""

import pytest

QUICK_LANE = "not slow and not timing"
# more than most machines need, as many tests wait for a timer or a process
WORKERS = 4
IS_ANNOUNCED = pytest.StashKey[bool]()


def is_quick_lane(config):
    return config.option.markexpr == QUICK_LANE


def names_only_folders(config):
    """Return whether the command line names no single file or test."""
    return all((config.invocation_params.dir / argument).is_dir() for argument in config.args)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Return the number of pytest-xdist workers for `-n auto`.

    With 0 the tests run one after the other, in this process.
    """
    # slow and timing tests need the whole machine, and a worker takes longer to start than one file to run
    return WORKERS if is_quick_lane(config) and names_only_folders(config) else 0


def pytest_terminal_summary(terminalreporter, config):
    # two conftest files may import this hook
    if not is_quick_lane(config) or config.stash.get(IS_ANNOUNCED, False):
        return
    config.stash[IS_ANNOUNCED] = True
    line = "Only the quick tests ran. `pytest -m slow` runs those that need Redis, nginx or npm; `pytest -m timing`"
    terminalreporter.write_line(f"{line} those that measure time: run nothing else meanwhile.")
