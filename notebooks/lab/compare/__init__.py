"""Compares the bad server with the good server."""
