"""Processes, files and exit codes of the operating system."""
