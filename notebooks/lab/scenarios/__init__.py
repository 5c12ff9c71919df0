"""Scenarios, one module per claim.

A scenario is an experiment that measures a server. It knows the URL and the namespace of the server, and how to make
tokens. It knows nothing about the server's code.
"""
