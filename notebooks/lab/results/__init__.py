"""Claims about the two servers, measured runs, and verdicts."""
