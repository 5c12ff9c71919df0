"""Simulated clients and the faulty links between them and a server."""
