"""A comparison as a table, as JSON, as a page and as rows of the README."""
