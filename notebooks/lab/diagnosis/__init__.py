"""Blind diagnosis: servers with an unknown mistake, for practice and an exam."""
