"""Programs of other projects that some tests need: Redis, nginx, npm, systemd."""

import os
import shutil

import pytest


def installed(name):
    """The path of a program. Without it the test is skipped, and in CI it fails."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return found
