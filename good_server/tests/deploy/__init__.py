"""Tests of the deployment files, and of the pinned library versions."""
