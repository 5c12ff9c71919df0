"""Simulated clients, and proxies that simulate a faulty network."""
