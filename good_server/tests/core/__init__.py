"""Tests of the server itself, whatever the product."""
