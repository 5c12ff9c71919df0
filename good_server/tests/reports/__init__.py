"""Tests of reports and their queue."""
