"""The product: one module per subject, each with its routes."""
