"""Measures the benefits and costs of several server processes, for lesson 12."""
