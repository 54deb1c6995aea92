"""Looks at what a coturn on this computer lets its clients reach: this computer's own UDP ports.

Two relayed peers meet at coturn's own address, so that address must be allowed, and coturn cannot
allow some of its ports only.
"""

import os

import psutil

from signaling.doctor.findings import Finding, note
from turn import checks
from turn.checks import CheckError, ServerUrl
from turn.coturn import MAX_RELAY_PORT, MIN_RELAY_PORT

RELAY_PORTS = range(MIN_RELAY_PORT, MAX_RELAY_PORT + 1)
NAMED = 5
"""How many programs a finding names."""

_ANY = ("0.0.0.0", "::")
_COTURN = "turnserver"


async def check(server: ServerUrl, username: str | None, password: str | None) -> list[Finding]:
    """Try whether a coturn reaches other programs of this computer, and name them.

    Parameters
    ----------
    server: a coturn; if it is on another host, nothing is found.
    username, password: credentials for it.
    """
    try:
        address = await checks.reaches_this_host(server, username, password, besides=RELAY_PORTS)
    except CheckError:
        return []  # Another line says what is wrong with this relay.
    if address is None:
        return []
    check, rule = "coturn's host", "Add the firewall rule of docs/turn.md."
    reached = f"everybody who gets credentials for {server.text} can send to the UDP ports of"
    try:
        programs = listening(address, besides=server.port)
    except psutil.AccessDenied:
        return [note(check, f"{reached} {address}; only root can see what listens there.", rule)]
    if not programs:
        return []
    named = ", ".join(programs[:NAMED])
    more = f" and {len(programs) - NAMED} more" if len(programs) > NAMED else ""
    return [note(check, f"{reached} {address}, also to {named}{more}.", rule)]


def listening(address: str, *, besides: int) -> list[str]:
    """Name the programs that take UDP packets at an address, as in `avahi-daemon (port 5353)`.

    Parameters
    ----------
    address: one of this computer's.
    besides: coturn's own port. What it and this process have open does not count, nor do sockets
        that take packets from one other address only.

    Raises
    ------
    psutil.AccessDenied: the system shows this to root only.
    """
    found: dict[int, str] = {}
    for one in psutil.net_connections("udp"):
        if not one.laddr or one.raddr or one.laddr.ip not in (address, *_ANY):
            continue
        port, name = one.laddr.port, _name(one.pid)
        ours = one.pid == os.getpid() or name == _COTURN or port in RELAY_PORTS
        if port != besides and not ours:
            found[port] = f"{name or 'a program'} (port {port})"
    return [found[port] for port in sorted(found)]


def _name(pid: int | None) -> str | None:
    """The name of a program; None if the system does not show it."""
    try:
        return None if pid is None else psutil.Process(pid).name()
    except psutil.Error:
        return None
