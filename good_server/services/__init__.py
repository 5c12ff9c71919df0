"""Interfaces to heavy work, outside services and business data."""
