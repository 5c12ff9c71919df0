"""Functions for the cells of lessons, and the build of the notebooks."""
