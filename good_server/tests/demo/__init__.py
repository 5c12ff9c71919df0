"""Tests of the dispatch platform."""
