"""Processes, files and exit codes: the interface to the operating system."""
