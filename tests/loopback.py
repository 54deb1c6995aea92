"""Addresses of this host from which connections count by themselves."""

import contextlib
import socket

import pytest

ATTACKER = "127.0.0.2"
PHONE = "127.0.0.3"


def _has(address: str) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind((address, 0))
        return True
    return False


needs_addresses = pytest.mark.skipif(
    not (_has(ATTACKER) and _has(PHONE)), reason=f"this host lacks {ATTACKER} or {PHONE}"
)
