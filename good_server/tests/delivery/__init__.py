"""Tests of the delivery engine, which replaces the library's delivery path."""
