"""Measures the benefits and costs of several processes, for lesson 12."""
