"""Comparison of both servers."""
