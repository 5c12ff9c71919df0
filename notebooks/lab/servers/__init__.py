"""Starts, measures and stops servers of one or several processes.

Each server process has a probe: code of the lab that measures the process.
"""
