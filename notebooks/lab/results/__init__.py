"""Claims about the bad and the good server, measured runs, and verdicts."""
