"""Find the programs that some tests need: Redis, nginx, npm, systemd."""

import os
import shutil

import pytest


def installed(name):
    """Return the path of a program. When it is not installed, the test is skipped, and in CI it fails."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return found
