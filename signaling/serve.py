"""The command that serves: its options, what it prints, and how it ends.

`lenscast`, `lenscast serve` and `python -m signaling` all are this. Imports no media library.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import signal
import sys
import webbrowser
from pathlib import Path
from typing import TextIO

from signaling import config
from signaling.config import Config
from signaling.host import qr, state_folder
from signaling.host.usb import UsbPhones
from signaling.server import SignalingServer
from signaling.setup_error import SetupError

MANY_FILES = 8192
"""Sockets enough for all that the default limits let in; macOS allows 10240 at most."""

EXAMPLE = """\
example:
  lenscast                         the phone's camera in this laptop's browser
  lenscast --port 9443 --no-open   on another port, and open the page yourself
  lenscast --config config.yaml    with settings from a file
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of serving."""
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings, as YAML")
    parser.add_argument("--host", help="address to listen on (default: 0.0.0.0, all of them)")
    parser.add_argument(
        "--port", type=_port, help="port for the phone, HTTPS (default: 8443; 0: any free one)"
    )
    parser.add_argument(
        "--local-port",
        type=_port,
        help="port for this laptop's browser, on 127.0.0.1 only (default: 8080; 0: any free one)",
    )
    parser.add_argument("--no-open", action="store_true", help="do not open the receiver page")
    parser.add_argument(
        "--usb", action="store_true", help="reach an Android phone through its cable, by adb"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one line of JSON once listening, and nothing else, on standard output",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Returns
    -------
    The exit code: 0 after a clean end, 2 when the server could not start.
    """
    try:
        settings = _settings(arguments)
        _set_up_logging(settings.log.level)
        _allow_files()
        asyncio.run(_serve(settings, arguments))
    except SetupError as error:
        print(f"lenscast: {error}", file=sys.stderr)
        return 2
    return 0


def _allow_files() -> None:
    """Let this process have many sockets: the usual 1024, or 256 on macOS, are too few."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    # A kernel may allow less than it says (setrlimit(2) on macOS).
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return number


def _settings(arguments: argparse.Namespace) -> Config:
    settings = config.load(arguments.config) if arguments.config else Config()
    given = {
        name: value
        for name in ("host", "port", "local_port")
        if (value := getattr(arguments, name)) is not None
    }
    return dataclasses.replace(settings, server=dataclasses.replace(settings.server, **given))


def _set_up_logging(level: str) -> None:
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    # Tornado warns of each TLS handshake that a client breaks off, as every browser does before
    # its user has accepted the certificate.
    logging.getLogger("tornado.general").setLevel(
        logging.DEBUG if level == "debug" else logging.ERROR
    )


async def _serve(settings: Config, arguments: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    _on_signals(stopping)
    folder = state_folder.locate()
    server = SignalingServer(settings, folder)
    await server.start()
    phones = UsbPhones(server.local_port)
    checking: asyncio.Task[None] | None = None
    try:
        if arguments.usb:
            await phones.attach(server.sender_path)
        if arguments.json:
            print(json.dumps(_summary(server)), flush=True)
        else:
            _announce(server, sys.stdout)
        if not arguments.no_open:
            await _open_browser(server.receiver_link)
        checking = _check(server, folder)
        await stopping.wait()
    finally:
        if checking:
            checking.cancel()
        await server.stop()
        await phones.detach()


def _check(server: SignalingServer, folder: Path) -> asyncio.Task[None]:
    # Imported late: it needs aioice, which must not hold up the start.
    from signaling import doctor

    return doctor.watch(server, folder)


def _on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopping.set)
        except NotImplementedError:  # Windows' event loops have none.
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopping.set))


def _summary(server: SignalingServer) -> dict[str, str | int]:
    return {
        "room": server.room,
        "receiver": server.receiver_link,
        "sender": server.sender_link,
        "port": server.port,
        "local_port": server.local_port,
        "turn": server.config.turn.mode,
    }


def _announce(server: SignalingServer, out: TextIO) -> None:
    lines = [
        "",
        f"  Phone   {server.sender_link}",
        f"  Laptop  {server.receiver_link}",
        "",
        qr.terminal(server.sender_link, colour=out.isatty()),
        "",
        "  Scan the code with the phone's camera.",
        *server.advice(),
        f"  {server.turn.describe()}",
        "  Ctrl-C ends it.",
        "",
    ]
    print("\n".join(lines), file=out, flush=True)


async def _open_browser(link: str) -> None:
    # Without a screen Python falls back to a text browser, which would take over the terminal.
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return
    await asyncio.get_running_loop().run_in_executor(None, webbrowser.open, link)


def main(argv: list[str] | None = None) -> int:
    """`python -m signaling`."""
    parser = argparse.ArgumentParser(
        prog="python -m signaling",
        description="Serve the pages and connect phones with laptops.",
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))
