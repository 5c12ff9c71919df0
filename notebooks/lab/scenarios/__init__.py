"""Scenarios, one module per claim.

A scenario knows a URL, a namespace and how to make tokens. It knows nothing about the inside of a server.
"""
