"""The port, and what it serves over HTTP."""
