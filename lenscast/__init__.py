"""The `lenscast` command, and the peers that live in Python."""
