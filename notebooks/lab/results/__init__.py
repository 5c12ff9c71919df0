"""What is claimed, what was measured, and what it says."""
