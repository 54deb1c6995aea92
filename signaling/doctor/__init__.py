"""Finds out why a phone cannot connect, and says how to fix it: the command `lenscast doctor`.

Its checks also run in the background when a server starts. This package needs aioice, so import it
only where it is used.
"""

from signaling.doctor.at_start import problems, watch
from signaling.doctor.diagnosis import diagnose, examine
from signaling.doctor.findings import as_json, exit_code, lines

__all__ = ["as_json", "diagnose", "examine", "exit_code", "lines", "problems", "watch"]
