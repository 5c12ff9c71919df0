"""Scenarios, one module per claim.

A scenario knows the URL and the namespace of a server, and how to make tokens. It knows nothing about the server's
code.
"""
