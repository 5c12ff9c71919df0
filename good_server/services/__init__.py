"""Interfaces to heavy work, to external services and to business data."""
