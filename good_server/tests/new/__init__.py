"""Tests of the command `new`."""
