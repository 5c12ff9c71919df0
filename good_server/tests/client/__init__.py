"""Tests of the TypeScript client and its example page."""
