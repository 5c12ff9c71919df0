"""Exercises for learners: tasks, grades, hints and progress."""
