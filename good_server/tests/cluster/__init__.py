"""Tests of several processes behind one Redis."""
