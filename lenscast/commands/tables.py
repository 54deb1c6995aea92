"""How rooms, links and the peers in a room are printed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

_HEADS = ("PEER", "ROLE", "ADDRESS", "SINCE", "NAME")


def rooms(answer: list[dict[str, Any]]) -> str:
    """Each room with its links and who is in it, as text.

    Parameters
    ----------
    answer: rooms as the server describes them.
    """
    return "\n\n".join("\n".join(_room(room)) for room in answer)


def links(made: dict[str, str]) -> list[str]:
    """A line for each role."""
    width = max(len(role) for role in made)
    return [f"  {role.capitalize():{width}}  {link}" for role, link in made.items()]


def _room(room: dict[str, Any]) -> Iterable[str]:
    home = ", this server's own room" if room["home"] else ""
    yield f"Room {room['room']} ({room['type']}{home})"
    yield from links(room["links"])
    if room["peers"]:
        yield ""
        yield from _columns([_HEADS, *(_peer(peer) for peer in room["peers"])])


def _peer(peer: dict[str, Any]) -> tuple[str, ...]:
    since = datetime.fromisoformat(peer["since"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    where = "away" if peer["away"] else peer["address"] or "-"
    return peer["peer"], peer["role"], where, since, _printable(peer["name"] or "")


def _printable(name: str) -> str:
    # A name comes from a stranger, and could hold what moves a terminal's cursor.
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _columns(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        yield ("  " + "  ".join(cells)).rstrip()
