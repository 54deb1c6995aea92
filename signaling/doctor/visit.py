"""Visits a server as a page does: through TLS, then over the WebSocket into a room."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

ANSWER_SECONDS = 3.0


class VisitError(Exception):
    """A visit failed. The message completes a sentence that begins with the server's address.

    Parameters
    ----------
    code: the status of an HTTP answer, or the code of an `error` message; None if there was
        neither.
    """

    def __init__(self, clause: str, code: int | str | None = None) -> None:
        super().__init__(clause)
        self.code = code


@dataclass(frozen=True)
class Registered:
    """What a receiver gets from the server. `invite` is the link for the phone."""

    ice_servers: list[dict[str, Any]] = field(repr=False)
    invite: str = field(repr=False)


@asynccontextmanager
async def registered(
    origin: str, room: str, key: str, context: ssl.SSLContext
) -> AsyncIterator[Registered]:
    """Be a receiver until the end of the block. After that its TURN credentials may be invalid.

    Parameters
    ----------
    origin: scheme, host and port of the server.
    room, key: as in a link.
    context: for https.

    Raises
    ------
    VisitError: there is no answer, or not that of a Lenscast server.
    """
    request = HTTPRequest(
        f"{origin.replace('http', 'ws', 1)}/ws",
        connect_timeout=ANSWER_SECONDS,
        request_timeout=ANSWER_SECONDS,
        ssl_options=context,
        follow_redirects=False,
    )
    try:
        socket = await asyncio.wait_for(websocket_connect(request), 2 * ANSWER_SECONDS)
    except HTTPClientError as error:
        # 599 is Tornado's own code for a connection that timed out or was closed.
        if error.code == 599:
            raise VisitError("does not answer") from error
        raise VisitError(
            f"answers the WebSocket /ws with error {error.code}", error.code
        ) from error
    except OSError as error:
        raise VisitError("does not answer") from error
    try:
        yield await _register(socket, room, key)
    finally:
        socket.close()


async def _register(socket: WebSocketClientConnection, room: str, key: str) -> Registered:
    hello = {"type": "register", "role": "receiver", "room": room, "key": key}
    try:
        await socket.write_message(json.dumps(hello))
        text = await asyncio.wait_for(socket.read_message(), ANSWER_SECONDS)
    except (TimeoutError, WebSocketClosedError) as error:
        raise VisitError("does not answer on the WebSocket /ws") from error
    try:
        said = json.loads(text or "null")
        if said["type"] == "error":
            raise VisitError(f"says: {said['message'].rstrip('.')}", str(said["code"]))
        return Registered(said["turnConfig"]["iceServers"], said["invite"]["url"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VisitError("does not answer like a Lenscast server") from error


def anybody() -> ssl.SSLContext:
    """A client's TLS context that accepts every certificate; another check looks at those."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True)
class Shown:
    """The certificate that a server has shown; `der` is all of it, in DER."""

    expires: datetime
    issuer: str
    der: bytes = field(repr=False)


async def certificate(host: str, port: int, context: ssl.SSLContext) -> Shown:
    """Get a server's certificate, and verify it for a host.

    Raises
    ------
    ssl.SSLError: the context does not accept it, or the handshake fails.
    OSError: the server does not answer.
    """
    async with asyncio.timeout(ANSWER_SECONDS):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    try:
        der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    shown = x509.load_der_x509_certificate(der)
    names = [
        *shown.issuer.get_attributes_for_oid(NameOID.COMMON_NAME),
        *shown.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME),
    ]
    issuer = str(names[0].value) if names else "an unnamed authority"
    return Shown(shown.not_valid_after_utc, issuer, der)


def is_loopback(host: str) -> bool:
    """Whether a host name or address always means the computer that uses it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_origin(url: str) -> bool:
    """Whether a browser could open this: http or https, a host, and perhaps a port."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
        return parts.scheme in ("http", "https") and bool(host.encode("idna"))
    except ValueError:
        return False
