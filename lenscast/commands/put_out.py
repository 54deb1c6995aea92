"""`lenscast end`: ends a room; `lenscast remove`: puts one peer out."""

import argparse
import json

from lenscast.commands import running

END_EXAMPLE = """\
example:
  lenscast links               which rooms there are
  lenscast end abc-defg-hij    end one of them
"""
REMOVE_EXAMPLE = """\
example:
  lenscast links                 who is there
  lenscast remove x7Kq0aPzR3bT   put one of them out
"""


def add_end_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `lenscast end`."""
    parser.add_argument("room", metavar="ROOM", help="the room's code, as `lenscast links` says it")
    running.add_arguments(parser)


def add_remove_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `lenscast remove`."""
    parser.add_argument("peer", metavar="PEER", help="the peer's id, as `lenscast links` says it")
    running.add_arguments(parser)


def end(arguments: argparse.Namespace) -> int:
    """End a room for everyone in it."""
    ended = running.ask(arguments.local_port, {"do": "end", "room": arguments.room})
    if arguments.json:
        print(json.dumps(ended))
        return 0
    print(f"The room {ended['room']} has ended. Put out: {ended['peers']}.")
    print("Its links open nothing any more, also after lenscast is started again.")
    if ended["home"]:
        print("It was this server's own room. For new links to that: lenscast rotate")
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """Put a peer out of its room."""
    gone = running.ask(arguments.local_port, {"do": "remove", "peer": arguments.peer})
    if arguments.json:
        print(json.dumps(gone))
        return 0
    print(f"The {gone['role']} {gone['peer']} was put out of the room {gone['room']}.")
    print(
        "From its address nobody comes in by the same link until lenscast is started again.\n"
        "To shut out whoever has the old links, wherever they are: lenscast rotate"
    )
    return 0
