"""Claims, measured runs, and verdicts."""
