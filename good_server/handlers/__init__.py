"""What the product does: one module a subject, each only a tuple of routes."""
