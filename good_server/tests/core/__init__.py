"""Tests of the server that do not depend on its product."""
