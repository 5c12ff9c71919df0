"""Answers for rooms to bytes: who is in which room, what each connection is owed, and how it is written."""
