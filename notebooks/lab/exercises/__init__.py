"""Exercises: tasks, grades, hints and progress."""
