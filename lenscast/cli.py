"""The command `lenscast`: its subcommands and their options.

Imports the media libraries only in the subcommands that need them.
"""

import argparse
import sys
from pathlib import Path

import signaling
from signaling import serve
from signaling.host import addresses
from turn import coturn


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv: the arguments; None for the process's own.

    Returns
    -------
    The exit code: 0, or 2 for what the user can mend.
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
        description="Your phone is your laptop's camera. Without a command it serves.",
        epilog=serve.EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lenscast {signaling.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    serving = commands.add_parser(
        "serve",
        help="serve the pages and connect the phone (the default)",
        description="Serve the pages, print the links and the QR code, and connect the phone.",
        epilog=serve.EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_arguments(serving)
    serving.set_defaults(run=serve.run)
    _add_coturn(commands)
    _add_doctor(commands)
    return parser


def _add_coturn(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "coturn",
        help="write the configuration of a coturn container",
        description="Write turnserver.conf, compose.yaml and a fresh secret into a folder, with "
        "this host's addresses, and print what to put in config.yaml.",
        epilog="example:\n  lenscast coturn ./coturn && docker compose -f coturn/compose.yaml up",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="where to; made if missing")
    parser.set_defaults(run=_coturn)


def _coturn(arguments: argparse.Namespace) -> int:
    try:
        written = coturn.write(arguments.folder, addresses.lan_addresses() or ["127.0.0.1"])
    except (coturn.CoturnError, OSError) as error:
        print(f"lenscast: {error}", file=sys.stderr)
        return 2
    print(f"Wrote turnserver.conf, compose.yaml and secret to {arguments.folder}.", file=sys.stderr)
    print("Put these three lines into config.yaml:", file=sys.stderr)
    print("\n".join(written.config_lines()))
    return 0


def _add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "doctor",
        help="check network, ports, certificate and TURN, and say what mends them",
        description="Check what keeps a phone from connecting, a line each: what was found and, "
        "where it is not right, what mends it. The exit code is 1 if something is broken. A "
        "lenscast that runs is checked as it runs.",
        epilog="example:\n  lenscast doctor --config config.yaml",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings, as YAML")
    parser.add_argument("--port", type=int, help="as for serving")
    parser.add_argument("--local-port", type=int, help="as for serving")
    parser.add_argument(
        "--json", action="store_true", help="print one line of JSON, and nothing else"
    )
    parser.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from signaling import doctor  # it needs aioice, and serving does not

    try:
        findings = doctor.diagnose(
            arguments.config, port=arguments.port, local_port=arguments.local_port
        )
    except KeyboardInterrupt:
        return 130  # as shells have it: 128 and the signal's number
    if arguments.json:
        print(doctor.as_json(findings))
    else:
        print("\n".join(doctor.lines(findings, colour=sys.stdout.isatty())))
    return doctor.exit_code(findings)
