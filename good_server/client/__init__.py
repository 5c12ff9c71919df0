"""The TypeScript client of the server, and a page that uses it."""
