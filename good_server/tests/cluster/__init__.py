"""Tests of several server processes that share one Redis."""
