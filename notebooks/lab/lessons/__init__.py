"""Functions that cells of lesson notebooks call, and the notebooks' build."""
