"""Runs several server processes that share state through Redis.

A team that runs only one process may delete this folder.
"""
