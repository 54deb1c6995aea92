"""The first byte inside TLS decides as well: HTTP or TURN."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.web import Application, RequestHandler

from signaling.config import Limits
from signaling.host import tls
from signaling.web.entrance import TlsEntrance
from signaling.web.hosts import Proxies
from signaling.web.open_streams import OpenStreams
from signaling.web.port import Port, bind
from tests.signaling.transport.raw import SECONDS


class Echo(RequestHandler):
    """Answers with the body of the request."""

    def post(self) -> None:
        """Send the body back unchanged."""
        self.finish(self.request.body)


@contextlib.asynccontextmanager
async def entrance(
    folder: Path, *, with_turn: bool = True, silence: float = 5
) -> AsyncIterator[tuple[Port, "asyncio.Queue[tuple[IOStream, bytes]]"]]:
    """A port that speaks TLS, and the streams that TURN gets."""
    streams: asyncio.Queue[tuple[IOStream, bytes]] = asyncio.Queue(10)
    http = HTTPServer(Application([("/", Echo)]))
    context = tls.local_ca_context(folder, [], datetime.now(UTC))
    inside = TlsEntrance(
        http,
        context,
        streams=OpenStreams(Limits(), Proxies([])),
        turn=(lambda stream, first: streams.put_nowait((stream, first))) if with_turn else None,
        silence=silence,
    )
    port = Port(
        bind("127.0.0.1", 0, "server.port"),
        silence=5,
        silent_per_address=64,
        http=lambda connection, _address: connection.close(),
        tls=inside.accept,
    )
    try:
        yield port, streams
    finally:
        port.close()
        inside.close()
        await http.close_all_connections()
        while not streams.empty():
            streams.get_nowait()[0].close()


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "ca.pem"))


@pytest.mark.parametrize("with_turn", [True, False])
async def test_http_inside_tls_loses_no_byte(tmp_path: Path, with_turn: bool) -> None:
    """Any request, also a long one, arrives whole, whether or not the server looks at its first
    byte.
    """
    async with entrance(tmp_path, with_turn=with_turn) as (port, _streams):
        body = b"x" * 300_000
        for sent in (b"short", body):
            answer = await AsyncHTTPClient().fetch(
                f"https://127.0.0.1:{port.number}/",
                method="POST",
                body=sent,
                ca_certs=str(tmp_path / "ca.pem"),
            )
            assert answer.body == sent


async def test_stun_inside_tls_is_handed_to_turn_with_its_first_byte(tmp_path: Path) -> None:
    """TURN gets a connection whose first byte is 0 to 3, together with that byte."""
    async with entrance(tmp_path) as (port, streams):
        _reader, writer = await asyncio.open_connection(
            "127.0.0.1", port.number, ssl=trusting(tmp_path)
        )
        writer.write(b"\x00\x01rest")
        stream, first = await asyncio.wait_for(streams.get(), SECONDS)
        rest = await asyncio.wait_for(stream.read_bytes(5), SECONDS)
        assert first + rest == b"\x00\x01rest"
        stream.close()
        writer.close()


async def test_a_client_that_is_silent_inside_tls_is_closed_in_time(tmp_path: Path) -> None:
    """After the handshake, the time for the first byte is limited too."""
    async with entrance(tmp_path, silence=0.2) as (port, _streams):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port.number, ssl=trusting(tmp_path)
        )
        assert await asyncio.wait_for(reader.read(1), SECONDS) == b""
        writer.close()


async def test_a_handshake_that_stops_is_closed_in_time(tmp_path: Path) -> None:
    """A client that sends only the start of a handshake is closed after the same time."""
    async with entrance(tmp_path, silence=0.2) as (port, _streams):
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        writer.write(b"\x16\x03\x01")
        assert await asyncio.wait_for(reader.read(1), SECONDS) == b""
        writer.close()


async def test_a_client_that_breaks_the_handshake_does_no_harm(tmp_path: Path) -> None:
    """After a client has refused the certificate, the next one is served."""
    async with entrance(tmp_path) as (port, _streams):
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(
                "127.0.0.1", port.number, ssl=ssl.create_default_context()
            )
        answer = await AsyncHTTPClient().fetch(
            f"https://127.0.0.1:{port.number}/",
            method="POST",
            body=b"x",
            ca_certs=str(tmp_path / "ca.pem"),
        )
        assert answer.body == b"x"
