"""Tests of reports and of the queue that they wait in."""
