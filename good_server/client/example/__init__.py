"""The example page of the TypeScript client, and its development tokens."""
