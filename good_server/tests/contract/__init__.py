"""Tests of the exported contract."""
