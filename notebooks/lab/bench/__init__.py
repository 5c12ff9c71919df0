"""The bench: measures the good server and its peers under one load."""
