"""Server processes, one or several, each with a probe."""
