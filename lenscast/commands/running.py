"""Finds the server that runs on this computer, for the commands that ask it for something."""

import argparse
from typing import Any

from signaling.host import control_socket, state_folder
from signaling.host.control_socket import Found, NotRunning
from signaling.setup_error import SetupError

NOT_RUNNING = "No lenscast of this user runs on this computer. Start it with: lenscast"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that all of these commands have."""
    parser.add_argument(
        "--local-port",
        metavar="PORT",
        type=int,
        help="where several servers run: the one with this port on 127.0.0.1",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def find_all(local_port: int | None) -> list[Found]:
    """The servers of this user that run, or the one with this port on 127.0.0.1."""
    found = control_socket.servers(state_folder.locate())
    return [server for server in found if local_port in (None, server.number)]


def find(local_port: int | None) -> Found | None:
    """The server that runs; None where there is none.

    Raises
    ------
    SetupError: there are several; the sentence says how to choose.
    """
    found = find_all(local_port)
    if len(found) > 1:
        ports = " or ".join(str(server.number) for server in found)
        raise SetupError(f"{len(found)} servers run here. Choose one: --local-port {ports}")
    return found[0] if found else None


def ask(local_port: int | None, request: dict[str, Any]) -> dict[str, Any]:
    """Ask the server that runs.

    Raises
    ------
    SetupError: none runs, there are several, or it refuses; the sentence says what to do.
    """
    server = find(local_port)
    if server is None:
        raise SetupError(NOT_RUNNING)
    try:
        return control_socket.ask(server, request)
    except NotRunning as error:
        raise SetupError(NOT_RUNNING) from error
