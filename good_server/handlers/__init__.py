"""Handlers of the product's events: one module per subject."""
