"""Measures the embedded relay, side by side with coturn."""
