"""Reports of a comparison: table, JSON, page and README rows."""
