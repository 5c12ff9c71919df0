"""Tests of the optional spans of OpenTelemetry."""
