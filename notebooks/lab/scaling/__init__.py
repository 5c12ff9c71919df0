"""Measures the benefits and costs of several server processes.

The notebook `12_scaling_out` (lesson 12) shows such measurements.
"""
