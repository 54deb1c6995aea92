"""Asks the lenscast that runs on this computer for a new room.

`lenscast room` is this.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from signaling import config
from signaling.config import Config
from signaling.setup_error import SetupError

ANSWER_SECONDS = 5.0
EXAMPLE = """\
example:
  lenscast room          a new room for cameras, besides the one that lenscast printed
  lenscast room --json   the same, for programs
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of asking for a room."""
    parser.add_argument(
        "kind", metavar="KIND", nargs="?", default="camera", help="kind of room (default: camera)"
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="the YAML file of the server")
    parser.add_argument(
        "--local-port",
        metavar="PORT",
        type=int,
        help="the server's port on 127.0.0.1 (default: the one in the settings, 8080)",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Ask for a room and print its links.

    Returns
    -------
    The exit code: 0, or 2 when no room could be had.
    """
    try:
        settings = config.load(arguments.config) if arguments.config else Config()
        port = arguments.local_port or settings.server.local_port
        room = ask(port, arguments.kind)
    except SetupError as error:
        print(f"lenscast: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(room))
        return 0
    links: dict[str, str] = room["links"]
    width = max(len(role) for role in links)
    for role, link in links.items():
        print(f"  {role.capitalize():{width}}  {link}")
    return 0


def ask(port: int, kind: str) -> dict[str, Any]:
    """Have the server on a port of this computer make a room.

    Returns
    -------
    {"room": its code, "links": {role: link}}.

    Raises
    ------
    SetupError: no lenscast runs there, or it refuses; the sentence says why.
    """
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/rooms",
        data=json.dumps({"type": kind}).encode(),
        headers={"Content-Type": "application/json"},
    )
    # A proxy of the environment has no way to this computer's loopback address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ANSWER_SECONDS) as answer:
            made: dict[str, Any] = json.load(answer)
            return made
    except urllib.error.HTTPError as error:
        with error:
            raise SetupError(_reason(error)) from error
    except (OSError, ValueError) as error:
        raise SetupError(
            f"No lenscast answers on port {port} of this computer. Start it with: lenscast"
        ) from error


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (ValueError, KeyError, TypeError):
        return f"What runs on that port is no lenscast that makes rooms (HTTP {error.code})."
