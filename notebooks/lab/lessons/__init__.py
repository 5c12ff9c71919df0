"""Functions that lesson notebooks call, and code that builds the notebooks."""
