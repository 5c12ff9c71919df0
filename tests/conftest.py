"""The test lanes, which are those of the template."""

from good_server.tests.lanes import pytest_terminal_summary, pytest_xdist_auto_num_workers

__all__ = ["pytest_terminal_summary", "pytest_xdist_auto_num_workers"]
