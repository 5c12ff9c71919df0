"""Converts source text to the syntax tree of `lab.check.ir`."""
