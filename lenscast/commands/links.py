"""`lenscast links` lists rooms and links, or makes links that end; `lenscast room` makes a room."""

import argparse
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from lenscast.commands import running, tables
from signaling import config
from signaling.config import Config
from signaling.host import control_socket, state_folder
from signaling.link_maker import LinkMaker, usual_type
from signaling.room.links import Links
from signaling.room.terms import Terms
from signaling.setup_error import SetupError

EXAMPLE = """\
example:
  lenscast links                              every room, its links and who is in it
  lenscast links --role viewer --expires 2h   a link to watch that ends in two hours
  lenscast links abc-defg-hij --once          links into one room, each good for one visit
"""
ROOM_EXAMPLE = """\
example:
  lenscast room          a new room for cameras, besides the one that lenscast printed
  lenscast room --json   the same, for programs
"""

LONGEST_DAYS = 366
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `lenscast links`."""
    parser.add_argument("room", metavar="ROOM", nargs="?", help="only this room")
    parser.add_argument("--role", help="only the link of this role, such as viewer")
    parser.add_argument(
        "--expires",
        metavar="TIME",
        type=duration,
        help="make links that end after this time, such as 30m, 2h or 7d",
    )
    parser.add_argument(
        "--once", action="store_true", help="make links that let one visitor in, once"
    )
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="the server's YAML file, where it does not run"
    )
    running.add_arguments(parser)


def add_room_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `lenscast room`."""
    parser.add_argument(
        "kind", metavar="KIND", nargs="?", default="camera", help="kind of room (default: camera)"
    )
    running.add_arguments(parser)


def duration(text: str) -> int:
    """Seconds, from a number and one of s, m, h and d."""
    found = re.fullmatch("([0-9]{1,9})([smhd])", text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST_DAYS * 86400:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time up to {LONGEST_DAYS} days: write it as in 30m, 2h or 7d"
        )
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """List links, or make some that end."""
    server = running.find(arguments.local_port)
    makes = arguments.expires is not None or arguments.once
    if server is None:
        answer = _without_server(arguments)
        print("No lenscast runs. These links open once it does: lenscast", file=sys.stderr)
    elif makes:
        request = {
            "do": "link",
            "room": arguments.room,
            "role": arguments.role,
            "seconds": arguments.expires,
            "once": arguments.once,
        }
        answer = running.ask(server.number, request)
    else:
        answer = control_socket.ask(server, {"do": "links"})
    if "rooms" in answer:
        answer["rooms"] = _chosen(answer["rooms"], arguments)
    if arguments.json:
        print(json.dumps({"running": server is not None, **answer}))
    elif "rooms" in answer:
        print(tables.rooms(answer["rooms"]))
    else:
        print("\n".join(tables.links(answer["links"])))
    return 0


def run_room(arguments: argparse.Namespace) -> int:
    """Have the server make a room, and print its links."""
    room = running.ask(arguments.local_port, {"do": "room", "type": arguments.kind})
    print(json.dumps(room) if arguments.json else "\n".join(tables.links(room["links"])))
    return 0


def _chosen(rooms: list[dict[str, Any]], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The rooms and links that were asked for."""
    if arguments.room is not None:
        rooms = [room for room in rooms if room["room"] == arguments.room]
        if not rooms:
            raise SetupError(
                f"There is no room {arguments.room} here. `lenscast links` lists the rooms."
            )
    if arguments.role is not None:
        rooms = [
            {**room, "links": {arguments.role: room["links"][arguments.role]}}
            for room in rooms
            if arguments.role in room["links"]
        ]
        if not rooms:
            raise SetupError(f"No room here has a link for the role {arguments.role}.")
    return rooms


def _without_server(arguments: argparse.Namespace) -> dict[str, Any]:
    """The links that the default room will have."""
    if arguments.once:
        raise SetupError(
            "Only a running server can make a link that is good once, since it must remember it. "
            "Start it with: lenscast"
        )
    settings = config.load(arguments.config) if arguments.config else Config()
    if 0 in (settings.server.port, settings.server.local_port):
        raise SetupError(
            "No lenscast runs, and its port is chosen when it starts (server.port: 0), so there is "
            "no link yet. Start it with: lenscast"
        )
    maker = _maker(settings)
    links = dict(maker.every_link(maker.home))
    if arguments.expires is not None:
        if not maker.keyed:
            raise SetupError("With `access: open` links hold no key, so they cannot end.")
        terms = Terms(until=round(time.time()) + arguments.expires)
        origin = maker.public_origin()
        links = {role: maker.link(origin, role, maker.home, terms=terms) for role in links}
    room = {"room": maker.home, "type": "camera", "home": True, "links": links, "peers": []}
    return {"rooms": [room]}


def _maker(settings: Config) -> LinkMaker:
    secret = state_folder.load_secret(state_folder.locate())
    keys = Links(secret) if settings.access == "key" else None
    ports = (settings.server.port, settings.server.local_port)
    return LinkMaker(settings, keys, usual_type(settings), lambda: ports)
