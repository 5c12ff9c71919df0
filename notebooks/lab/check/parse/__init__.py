"""Converts source text to the checker's own syntax tree (`lab.check.ir`)."""
