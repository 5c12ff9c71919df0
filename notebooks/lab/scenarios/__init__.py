"""Experiments that measure a server, one module per claim.

A claim is one of the ten rules that the lab teaches, such as "Never store socket ids". Such an experiment is called a
scenario. It knows the URL and the namespace of the server, and how to make tokens. It knows nothing about the server's
code.
"""
