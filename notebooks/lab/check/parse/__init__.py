"""Converts source text to the tree of `lab.check.ir`."""
