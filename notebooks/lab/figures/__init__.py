"""Figures: measurements as bars, charts and diagrams."""
