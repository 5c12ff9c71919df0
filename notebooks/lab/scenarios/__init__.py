"""Experiments (scenarios) that measure a server, one module per rule.

The lab teaches ten rules, such as "Never store socket ids". A scenario measures how a server behaves with respect to
one rule. It uses the URL and the namespace of the server, and makes tokens. It knows nothing about the server's code.
"""
