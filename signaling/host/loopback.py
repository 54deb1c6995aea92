"""Whose program is at the other end of a connection within this computer.

Reads the kernel's tables of TCP sockets (proc(5)), which name the user of each socket.
"""

import os
import sys
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ROOT = 0

End = tuple[str, int]
"""An IPv4 address and a port."""


def is_this_user(client: End, server: End) -> bool:
    """Whether the client of a connection is a program of the user of this process, or of root.

    True where the system has no such tables; False if the connection is in none of them.

    Parameters
    ----------
    client, server: the two ends of the connection.

    Raises OSError if the tables cannot be read.
    """
    tables = [path for path in _TABLES if path.exists()]
    if not tables:
        return True
    # An IPv6 socket can speak IPv4 too, and is in the other table then.
    found = (_owner(path.read_text(), client, server) for path in tables)
    return any(user in (os.geteuid(), _ROOT) for user in found if user is not None)


def _owner(table: str, client: End, server: End) -> int | None:
    for line in table.splitlines()[1:]:
        _number, local, remote, _state, _queues, _timer, _retransmits, user, *_rest = line.split()
        if _end(local) == client and _end(remote) == server:
            return int(user)
    return None


def _end(text: str) -> End:
    """Read an end of a connection: 32-bit words in the byte order of the machine, and a port."""
    address, _, port = text.partition(":")
    raw = bytes.fromhex(address)
    if sys.byteorder == "little":
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    if len(raw) == 4:
        return str(IPv4Address(raw)), int(port, 16)
    long = IPv6Address(raw)
    return str(long.ipv4_mapped or long), int(port, 16)
