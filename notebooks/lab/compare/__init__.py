"""The comparison of both servers."""
