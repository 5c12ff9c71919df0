"""The measuring bench: runs the same clients against both servers and compares."""
