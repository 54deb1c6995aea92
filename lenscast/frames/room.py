"""Which room a program's frames come from: one of a server that runs, or of one in this process."""

import asyncio
import contextlib
import dataclasses
import logging
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypedDict

from lenscast.commands import running
from lenscast.peers.receiver import Receiver
from signaling import config, serve
from signaling.config import Config
from signaling.host import control_socket, qr, state_folder, tls
from signaling.host.control_socket import ControlSocket
from signaling.operations import Operations
from signaling.room.links import read_link
from signaling.server import SignalingServer
from signaling.setup_error import SetupError
from signaling.transport.local import LocalTransport

log = logging.getLogger(__name__)


NOT_TRUSTED = (
    "The server's certificate is not trusted here. Download lenscast-ca.crt from its page /trust, "
    "and give that file: ca_file in Python, --ca-file on the command line."
)


class Options(TypedDict, total=False):
    """Where the room is, and how to join it; each may be left out.

    Attributes
    ----------
    config: the server's YAML file, as for `lenscast --config`. Only where a server is started.
    port, local_port: the server's ports, as for `lenscast --port` and `--local-port`. Only where
        a server is started.
    ca_file: the certificate authority of a server on another computer, as PEM or DER, such as the
        file that its page /trust offers. That of this user's own server is known.
    name: what the phone is told of this program, at most 64 characters.
    relay_only: connect through a TURN relay only.
    quiet: print neither links nor QR code to standard error.
    """

    config: str | Path | None
    port: int | None
    local_port: int | None
    ca_file: str | Path | None
    name: str
    relay_only: bool
    quiet: bool


@contextlib.asynccontextmanager
async def joined(link: str | None, options: Options) -> AsyncIterator[tuple[Receiver, Config]]:
    """Join a room as a receiver until the end of the block.

    Parameters
    ----------
    link: a link of a receiver or a viewer. None: this user's server that runs, or a server in this
        process where none does.
    options: where and how.

    Yields
    ------
    A receiver in the room, and the server's configuration; the default one where it is not known.

    Raises
    ------
    SetupError: no server can be started, or it is not clear which one to join.
    Refusal: the server does not let this program in.
    ConnectionError: the server cannot be reached.
    ValueError: it is not a link of a receiver or a viewer.
    """
    starts = any(options.get(key) is not None for key in ("config", "port", "local_port"))
    if link is None and not starts:
        # In a thread, since that server may be one of this event loop.
        link = await asyncio.to_thread(_running)
    join = _of_own_server(options) if link is None else _of_link(link, options)
    async with join as found:
        yield found


def _running() -> str | None:
    """The receiver's link of the server that runs on this computer, if there is one."""
    found = running.find_all(None)
    if len(found) > 1:
        raise SetupError(
            f"{len(found)} servers run here. Name one by its receiver link: lenscast.open(LINK)"
        )
    if not found:
        return None
    try:
        rooms = control_socket.ask(found[0], {"do": "links"})["rooms"]
    except control_socket.NotRunning:
        return None
    fragment = next(room["links"]["receiver"] for room in rooms if room["home"]).partition("#")[2]
    return f"http://127.0.0.1:{found[0].number}/receiver#{fragment}"


@contextlib.asynccontextmanager
async def _of_link(link: str, options: Options) -> AsyncIterator[tuple[Receiver, Config]]:
    receiver = Receiver(
        link,
        name=options.get("name", "Python"),
        relay_only=options.get("relay_only", False),
        ssl_context=_context(link, options.get("ca_file")),
    )
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(receiver)
        except ConnectionError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ConnectionError(NOT_TRUSTED) from error
            raise
        if receiver.invite and not options.get("quiet", False):
            code = qr.terminal(receiver.invite, colour=sys.stderr.isatty())
            sys.stderr.write(f"\n  Phone   {receiver.invite}\n\n{code}\n\n")
        yield receiver, Config()


@contextlib.asynccontextmanager
async def _of_own_server(options: Options) -> AsyncIterator[tuple[Receiver, Config]]:
    settings = _settings(options)
    folder = state_folder.locate()
    _quieten()
    server = SignalingServer(settings, folder)
    try:
        await server.start()
    except SetupError as error:
        raise SetupError(f"{error} In Python: lenscast.open(port=0, local_port=0).") from error

    def show() -> None:
        if not options.get("quiet", False):
            serve.print_links(server, sys.stderr)

    control = ControlSocket(folder, server.local_port, Operations(server, show).answer)
    receiver = Receiver(
        server.receiver_link,
        name=options.get("name", "Python"),
        relay_only=options.get("relay_only", False),
        transport=LocalTransport(server.hub),
    )
    try:
        try:
            await control.open()
        except SetupError as error:
            log.warning("%s", error)
        async with receiver:
            show()
            yield receiver, settings
    finally:
        await asyncio.shield(_stop(control, server))


async def _stop(control: ControlSocket, server: SignalingServer) -> None:
    await control.close()
    await server.stop()


def _settings(options: Options) -> Config:
    file = options.get("config")
    settings = config.load(Path(file)) if file else Config()
    server = settings.server
    if (port := options.get("port")) is not None:
        server = dataclasses.replace(server, port=_port(port))
    if (local_port := options.get("local_port")) is not None:
        server = dataclasses.replace(server, local_port=_port(local_port))
    return dataclasses.replace(settings, server=server)


def _port(number: int) -> int:
    if not 0 <= number <= 65535:
        raise SetupError(f"{number} is not a port: use a number from 0 to 65535.")
    return number


def _context(link: str, ca_file: str | Path | None) -> ssl.SSLContext | None:
    """What certificates to trust: the system's, this user's own authority, and the one given."""
    if not read_link(link).origin.startswith("https:"):
        return None
    context = ssl.create_default_context()
    with contextlib.suppress(SetupError):  # There is none, where no server has ever run.
        own = tls.ca_certificate(state_folder.locate())
        context.load_verify_locations(cadata=own.decode())
    if ca_file is not None:
        given = Path(ca_file).read_bytes()
        is_pem = given.lstrip().startswith(b"-----BEGIN")
        context.load_verify_locations(cadata=given.decode() if is_pem else given)
    return context


def _quieten() -> None:
    """Leave out what Tornado has to say of each phone that has not accepted the certificate yet,
    unless the program has set that logger up."""
    general = logging.getLogger("tornado.general")
    if general.level == logging.NOTSET:
        general.setLevel(logging.ERROR)
