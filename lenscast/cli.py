"""The command `lenscast`: its subcommands and their options."""

import argparse
import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import signaling
from lenscast.commands import links, put_out, record, rotate
from signaling import serve
from signaling.host import addresses
from signaling.setup_error import SetupError
from turn import coturn


@dataclass(frozen=True)
class _Operation:
    """A command for the server that runs, or for its room."""

    name: str
    help: str
    description: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


_OPERATIONS = (
    _Operation(
        "record",
        "record the phone's picture into a file",
        "Record the phone's picture into a file, without its sound. This joins the lenscast\n"
        "that runs on this computer, or starts one and shows the QR code. Ctrl-C finishes\n"
        "the file. If the phone leaves, recording goes on once it is back.",
        record.EXAMPLE,
        record.add_arguments,
        record.run,
    ),
    _Operation(
        "room",
        "make another room on the running server, and print its links",
        "Make a new room on the lenscast that runs on this computer, and print a link\n"
        "for each role.",
        links.ROOM_EXAMPLE,
        links.add_room_arguments,
        links.run_room,
    ),
    _Operation(
        "links",
        "list the rooms, their links and who is in them; make links that end",
        "List the rooms of the lenscast that runs on this computer, their links and who is\n"
        "in them. If none runs, print the links that its own room will have. With --expires\n"
        "or --once, print new links instead that end by themselves.",
        links.EXAMPLE,
        links.add_arguments,
        links.run,
    ),
    _Operation(
        "rotate",
        "make new links, or a new certificate authority; the old ones end",
        "Make new links. All old ones end at once, and everyone who came by them is put\n"
        "out. With --certificate, make a new certificate authority instead.",
        rotate.EXAMPLE,
        rotate.add_arguments,
        rotate.run,
    ),
    _Operation(
        "end",
        "end a room for everyone in it",
        "End a room on the running server: everyone in it is put out, and its links open\n"
        "nothing any more.",
        put_out.END_EXAMPLE,
        put_out.add_end_arguments,
        put_out.end,
    ),
    _Operation(
        "remove",
        "put one peer out of its room",
        "Put one peer out of its room on the running server. It does not come back by itself.",
        put_out.REMOVE_EXAMPLE,
        put_out.add_remove_arguments,
        put_out.remove,
    ),
)


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv: the arguments; None: those of this process.

    Returns
    -------
    The exit code: 0 on success, 2 for a mistake that the user can fix.
    """
    words = sys.argv[1:] if argv is None else argv
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words = ["serve", *words]
    arguments = _parser().parse_args(words)
    code: int = arguments.run(arguments)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lenscast",
        description="Use your phone as your laptop's camera. Without a command, lenscast starts\n"
        "the server, as `lenscast serve` does; `lenscast serve --help` lists the options.",
        epilog=serve.EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lenscast {signaling.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    serving = commands.add_parser(
        "serve",
        help="start the server and show the QR code (the default)",
        description="Serve the pages, show the links and the QR code, and connect the phone.",
        epilog=serve.EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_arguments(serving)
    serving.set_defaults(run=serve.run)
    for operation in _OPERATIONS:
        _add_operation(commands, operation)
    _add_coturn(commands)
    _add_doctor(commands)
    return parser


def _add_operation(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", operation: _Operation
) -> None:
    parser = commands.add_parser(
        operation.name,
        help=operation.help,
        description=operation.description,
        epilog=operation.example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    operation.add_arguments(parser)
    parser.set_defaults(run=functools.partial(_operate, operation.run))


def _operate(run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    try:
        return run(arguments)
    except SetupError as error:
        print(f"lenscast: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130  # What shells use: 128 plus the signal's number.


def _add_coturn(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "coturn",
        help="write the configuration of a coturn container, a separate relay",
        description="Write the files for a coturn container into a folder, with this host's\n"
        "addresses and a new secret: turnserver.conf, compose.yaml and secret. Then\n"
        "print the lines for config.yaml that make Lenscast use it.",
        epilog="example:\n"
        "  lenscast coturn ./coturn\n"
        "  docker compose -f coturn/compose.yaml up --detach",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder; created if needed")
    parser.add_argument(
        "--digest",
        metavar="sha256:...",
        help="run exactly this image in the container (docs/turn.md)",
    )
    parser.set_defaults(run=_coturn)


def _coturn(arguments: argparse.Namespace) -> int:
    try:
        own = addresses.lan_addresses() or ["127.0.0.1"]
        written = coturn.write(arguments.folder, own, digest=arguments.digest)
    except (coturn.CoturnError, OSError) as error:
        print(f"lenscast: {error}", file=sys.stderr)
        return 2
    print(f"Wrote turnserver.conf, compose.yaml and secret to {arguments.folder}.", file=sys.stderr)
    print("Put these three lines into config.yaml, in place of its turn: section:", file=sys.stderr)
    print("\n".join(written.config_lines()))
    return 0


def _add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "doctor",
        help="find out why a phone cannot connect, and how to fix it",
        description="Check the network, the ports, the certificate and the STUN and TURN servers.\n"
        "Each line says what was found and, if something is wrong, how to fix it. If\n"
        "lenscast is running, that process is checked. The exit code is 1 if something\n"
        "is broken.",
        epilog="example:\n  lenscast doctor --config config.yaml",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="read settings from this YAML file"
    )
    parser.add_argument("--port", type=int, help="the same as for lenscast serve")
    parser.add_argument(
        "--local-port", metavar="PORT", type=int, help="the same as for lenscast serve"
    )
    parser.add_argument("--json", action="store_true", help="print the result as a line of JSON")
    parser.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from signaling import doctor  # Imported here, since it needs aioice and serving does not.

    try:
        findings = doctor.diagnose(
            arguments.config, port=arguments.port, local_port=arguments.local_port
        )
    except KeyboardInterrupt:
        return 130  # What shells use: 128 plus the signal's number.
    if arguments.json:
        print(doctor.as_json(findings))
    else:
        print("\n".join(doctor.lines(findings, colour=sys.stdout.isatty())))
    return doctor.exit_code(findings)
