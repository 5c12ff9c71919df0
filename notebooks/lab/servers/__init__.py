"""Server processes, one or several, and the probe beside each."""
