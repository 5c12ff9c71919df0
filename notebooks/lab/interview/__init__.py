"""Interview questions, with answers that quote fresh measurements."""
