"""The `lenscast` command, and peers written in Python."""
