"""Measurements, each a command that prints a table. No test depends on them."""
