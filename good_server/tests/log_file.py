"""Writes the log of a child program to a file."""

import os
import sys


def log_to(path):
    """Write this process's stderr into the file at `path`."""
    with open(path, "wb", buffering=0) as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
