"""Tests of the example product, a dispatch platform."""
