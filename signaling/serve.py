"""The command that serves: its options, what it prints, and how it stops.

`lenscast`, `lenscast serve` and `python -m signaling` all run this.
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
from signaling.host.control_socket import ControlSocket
from signaling.host.usb import UsbPhones
from signaling.log_lines import CountingHandler
from signaling.operations import Operations
from signaling.server import SignalingServer
from signaling.setup_error import SetupError

log = logging.getLogger(__name__)

MANY_FILES = 8192
"""Enough sockets for all clients that the default limits allow; macOS allows at most 10240."""

EXAMPLE = """\
example:
  lenscast                         show the phone's camera in this laptop's browser
  lenscast --port 9443 --no-open   use another port, and do not open the browser
  lenscast --config config.yaml    read settings from a file
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lenscast serve`."""
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="read settings from this YAML file"
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help="address to listen on (default: 0.0.0.0, all addresses of this computer)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        help="HTTPS port for the phone (default: 8443; 0 picks a free port)",
    )
    parser.add_argument(
        "--local-port",
        metavar="PORT",
        type=_port,
        help="HTTP port for this laptop's browser, on 127.0.0.1 only "
        "(default: 8080; 0 picks a free port)",
    )
    parser.add_argument(
        "--no-open", action="store_true", help="do not open the receiver page in a browser"
    )
    parser.add_argument(
        "--usb", action="store_true", help="use an Android phone on a USB cable (needs adb)"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="when ready, print the links as one line of JSON instead of text",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Returns
    -------
    The exit code: 0 after a clean stop, 2 if the server could not start.
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
    """Let this process open many sockets: the usual 1024, or 256 on macOS, are too few."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    # A kernel may allow less than it reports (setrlimit(2) on macOS).
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 0 to 65535")
    return int(text)


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
        handlers=[CountingHandler(sys.stderr)],
        level=level.upper(),
        format="%(asctime)s %(message)s",
        datefmt="%H:%M:%S",
    )
    # Tornado logs a warning for each TLS handshake that a client breaks off. Every browser does
    # that until its user accepts the certificate.
    logging.getLogger("tornado.general").setLevel(
        logging.DEBUG if level == "debug" else logging.ERROR
    )


async def _serve(settings: Config, arguments: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    folder = state_folder.locate()
    server = SignalingServer(settings, folder)
    await server.start()

    def announce() -> None:
        if not arguments.json:
            print_links(server, sys.stdout)

    control = ControlSocket(folder, server.local_port, Operations(server, announce).answer)
    phones = UsbPhones(server.local_port)
    checking: asyncio.Task[None] | None = None
    try:
        await _open_control(control)
        if arguments.usb:
            await phones.attach(lambda: server.opening("sender"))
        if arguments.json:
            print(json.dumps(_summary(server)), flush=True)
        announce()
        if not arguments.no_open:
            # Every user of this computer can see a program's arguments: they must hold no key.
            await _open_browser(f"http://127.0.0.1:{server.local_port}{server.opening('receiver')}")
        checking = _check(server, folder)
        await stopping.wait()
    finally:
        if checking:
            checking.cancel()
        await control.close()
        await server.stop()
        await phones.detach()


async def _open_control(control: ControlSocket) -> None:
    try:
        await control.open()
    except SetupError as error:
        log.warning("%s", error)


def _check(server: SignalingServer, folder: Path) -> asyncio.Task[None]:
    # Imported here, because it needs aioice, which would delay the start.
    from signaling import doctor

    return doctor.watch(server, folder)


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set the event on Ctrl-C and SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopping.set)
        except NotImplementedError:  # Event loops on Windows have no signal handlers.
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


def print_links(server: SignalingServer, out: TextIO) -> None:
    """Print the links and the QR code."""
    lines = [
        "",
        f"  Phone   {server.sender_link}",
        f"  Laptop  {server.receiver_link}",
        f"  Viewer  {server.viewer_link}",
        "",
        qr.terminal(server.sender_link, colour=out.isatty()),
        "",
        "  Scan the code with the phone's camera.",
        *server.advice(),
        f"  {server.turn.describe()}",
        "  Press Ctrl-C to stop.",
        "",
    ]
    print("\n".join(lines), file=out, flush=True)


async def _open_browser(address: str) -> None:
    # Without a screen, Python would start a text browser, which takes over the terminal.
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return
    await asyncio.get_running_loop().run_in_executor(None, webbrowser.open, address)


def main(argv: list[str] | None = None) -> int:
    """Run `python -m signaling`."""
    parser = argparse.ArgumentParser(
        prog="python -m signaling",
        description="Serve the pages and connect phones with laptops.",
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))
