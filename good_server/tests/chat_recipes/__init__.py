"""Tests of the chat recipes. They need SQLAlchemy with aiosqlite."""
