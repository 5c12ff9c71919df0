"""Tests of the files that are deployed, and of the pins."""
