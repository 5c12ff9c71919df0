"""Job interview questions, with answers that quote fresh measurements."""
