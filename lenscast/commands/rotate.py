"""`lenscast rotate`: new links, or a new certificate authority."""

import argparse
import json
import sys
from typing import Any

from lenscast.commands import running, tables
from signaling.host import authority, control_socket, state_folder
from signaling.host.control_socket import NotRunning
from signaling.setup_error import SetupError

EXAMPLE = """\
example:
  lenscast rotate                 new links; the old ones end, and whoever came by them is put out
  lenscast rotate --certificate   a new certificate authority; the links stay
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `lenscast rotate`."""
    parser.add_argument(
        "--certificate",
        action="store_true",
        help="make a new certificate authority, and no new links",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Write the new secret or remove the old authority, and tell every server that runs."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        print(
            "\nlenscast: Interrupted. Run the command again, so that nothing is left half done.",
            file=sys.stderr,
        )
        return 130


def _run(arguments: argparse.Namespace) -> int:
    folder = state_folder.locate()
    if arguments.certificate:
        authority.forget(folder)
    else:
        state_folder.renew_secret(folder)
    request = {"do": "renew-authority" if arguments.certificate else "renew-keys"}
    answers, problems = _tell_all(request)
    if arguments.json:
        print(json.dumps({"servers": answers, "problems": problems}))
    else:
        _print(answers, certificate=arguments.certificate, running=bool(answers or problems))
    for problem in problems:
        print(f"lenscast: {problem}", file=sys.stderr)
    return 2 if problems else 0


def _tell_all(request: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Every server that shares the state folder has the same secret, so all of them are told."""
    answers, problems = [], []
    for server in running.find_all(None):
        try:
            answer = control_socket.ask(server, request)
        except NotRunning:
            continue
        except SetupError as error:
            problems.append(str(error))
        else:
            answers.append({"local_port": server.number, **answer})
    return answers, problems


def _print(answers: list[dict[str, Any]], *, certificate: bool, running: bool) -> None:
    what = "a new certificate authority" if certificate else "new links"
    if not running:
        print(f"No lenscast runs. From its next start on it has {what}: lenscast")
    for answer in answers:
        if certificate:
            print(f"The new certificate authority: {answer['fingerprint']}")
            print("Phones warn again. Where the old one was installed, remove it there.")
        else:
            print(f"The old links have ended. Put out: {_counted(answer['put_out'])}.")
            print()
            print(tables.rooms(answer["rooms"]))


def _counted(peers: int) -> str:
    return "1 peer" if peers == 1 else f"{peers} peers"
