"""Reports of a comparison: terminal tables, JSON, HTML page and README rows."""
