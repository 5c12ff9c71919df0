"""Blind diagnosis: learners look for the unknown mistakes of servers."""
