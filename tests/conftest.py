"""Imports the pytest hooks of the quick lane from the template.

The quick lane is the tests that run without the option `-m`.
"""

from good_server.tests.lanes import pytest_terminal_summary, pytest_xdist_auto_num_workers

__all__ = ["pytest_terminal_summary", "pytest_xdist_auto_num_workers"]
