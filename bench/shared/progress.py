"""Messages about the progress of a measurement."""

import sys


def say(text: str) -> None:
    """Print a line to standard error, so that standard output holds nothing but tables."""
    print(text, file=sys.stderr, flush=True)
