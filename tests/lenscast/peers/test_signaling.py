"""The signaling client of peers in Python, against real servers, good and bad ones."""

import asyncio
import dataclasses
import json
import socket
import ssl
import time
from pathlib import Path

import pytest
from tornado.web import url
from tornado.websocket import WebSocketHandler

from lenscast.peers.signaling import ConnectionEnded, SignalingClient
from lenscast.peers.websocket import WebSocketConnection
from signaling.config import Config, Server
from signaling.room.messages import (
    Offer,
    PeerConnected,
    PeerDisconnected,
    State,
)
from signaling.room.refusal import Refusal
from tests.answering_server import REGISTERED, server_that, serving
from tests.running_server import local_sender_link, running_server
from tests.signaling.transport.raw import SECONDS


async def test_a_client_registers_and_hears_of_the_other_side(tmp_path: Path) -> None:
    """Both peers get an id, and a message reaches the other one with that id in `from`."""
    async with (
        running_server(Config(), tmp_path) as server,
        SignalingClient(server.receiver_link) as receiver,
    ):
        async with SignalingClient(local_sender_link(server), name="Camera") as sender:
            assert receiver.registered.room == sender.registered.room == server.room
            met = await receiver.receive()
            assert met == PeerConnected("sender", sender.registered.id, "Camera")
            assert await sender.receive() == PeerConnected(
                "receiver", receiver.registered.id, offers=True
            )
            await sender.send(State({"status": "live"}))
            assert await receiver.receive() == State({"status": "live"}, from_=sender.registered.id)
        gone = await receiver.receive()
        assert gone == PeerDisconnected("sender", sender.registered.id, "left")


async def test_a_link_without_a_key_joins_where_access_is_open(tmp_path: Path) -> None:
    """With `access: open` the role alone registers."""
    async with running_server(Config(access="open"), tmp_path) as server:
        assert "#" not in server.receiver_link
        async with SignalingClient(server.receiver_link) as receiver:
            assert receiver.registered.room == "default"


async def test_a_bad_key_is_a_refusal_with_its_code(tmp_path: Path) -> None:
    """A link that opens nothing raises what the server says, for programs and for people."""
    async with running_server(Config(), tmp_path) as server:
        with pytest.raises(Refusal) as refused:
            async with SignalingClient(server.receiver_link + "x"):
                pass
    assert refused.value.code == "bad-key"
    assert refused.value.sentence


async def test_a_code_of_a_newer_server_still_ends_clearly() -> None:
    """A refusal with a code that this version does not know raises its sentence."""

    async def refuse(handler: WebSocketHandler) -> None:
        await handler.write_message('{"type": "error", "message": "Not today.", "code": "moon"}')

    async with server_that(refuse) as link:
        with pytest.raises(ConnectionEnded, match="Not today"):
            async with SignalingClient(link):
                pass


@pytest.mark.parametrize("link", ["", "room.key", "ftp://host/receiver", "https:///receiver"])
def test_what_is_no_link_is_refused_at_once(link: str) -> None:
    """A client is not made from something else than a link."""
    with pytest.raises(ValueError, match="link"):
        SignalingClient(link)


async def test_a_server_that_is_not_there_is_named() -> None:
    """Nobody listens: a ConnectionError says where."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=origin):
            async with SignalingClient(f"{origin}/receiver#room.key"):
                pass


async def test_something_else_than_a_signaling_server_is_named() -> None:
    """An answer other than the WebSocket handshake is a ConnectionError too."""
    async with serving() as origin:
        with pytest.raises(ConnectionError, match="404"):
            async with SignalingClient(f"{origin}/receiver"):
                pass


async def test_a_port_that_says_nothing_times_out() -> None:
    """Connecting to something that accepts and keeps silent ends after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = f"http://127.0.0.1:{silent.getsockname()[1]}/receiver"
        with pytest.raises(ConnectionError):
            async with SignalingClient(link, timeout=0.2):
                pass


async def test_a_server_that_does_not_answer_register_times_out() -> None:
    """A WebSocket that opens is not yet a server that lets one in."""

    async def nothing(handler: WebSocketHandler) -> None:
        pass

    async with server_that(nothing) as link:
        with pytest.raises(ConnectionError, match=r"did not answer within 0\.2 s"):
            async with SignalingClient(link, timeout=0.2):
                pass


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client gives up as soon as its connection has ended."""
    monkeypatch.setattr("lenscast.peers.signaling.COME_BACK_SECONDS", 0)


@pytest.mark.usefixtures("at_once")
async def test_a_server_that_stays_away_ends_the_connection_with_1001(tmp_path: Path) -> None:
    """`receive` raises the close code and the reason, each time; `send` does too."""
    async with (
        running_server(Config(), tmp_path) as server,
        SignalingClient(server.receiver_link) as client,
    ):
        await server.stop()
        for _ in range(2):
            with pytest.raises(ConnectionEnded) as ended:
                await client.receive()
            assert (ended.value.code, ended.value.reason) == (1001, "The server is stopping.")
        with pytest.raises(ConnectionEnded):
            await client.send(State({}))


@pytest.mark.usefixtures("at_once")
async def test_a_connection_that_breaks_ends_with_1006() -> None:
    """Without a close frame the code is 1006 (RFC 6455 7.1.5)."""

    async def break_off(handler: WebSocketHandler) -> None:
        await handler.write_message(REGISTERED)
        assert handler.ws_connection is not None
        assert handler.ws_connection.stream is not None
        handler.ws_connection.stream.close()

    async with server_that(break_off) as link, SignalingClient(link) as client:
        with pytest.raises(ConnectionEnded) as ended:
            await client.receive()
    assert ended.value.code == 1006


async def test_messages_of_an_unknown_type_are_passed_over() -> None:
    """A newer server may say more than this version knows."""

    async def say(handler: WebSocketHandler) -> None:
        for text in (REGISTERED, '{"type": "weather"}', '{"type": "offer", "sdp": "v=0"}'):
            await handler.write_message(text)

    async with server_that(say) as link, SignalingClient(link) as client:
        assert await client.receive() == Offer("v=0")


async def test_a_message_that_makes_no_sense_ends_the_connection() -> None:
    """What is not the protocol is an error of the server, and is not passed over."""

    async def say(handler: WebSocketHandler) -> None:
        await handler.write_message(REGISTERED)
        await handler.write_message("no JSON")

    async with server_that(say) as link, SignalingClient(link) as client:
        with pytest.raises(ConnectionEnded, match="not JSON") as ended:
            await client.receive()
    assert ended.value.code == 1002


async def test_a_client_that_does_not_read_makes_the_server_wait() -> None:
    """What comes is not piled up in memory: the server's writes stop until it is read."""
    count = 400
    sent = asyncio.Event()

    async def flood(handler: WebSocketHandler) -> None:
        await handler.write_message(REGISTERED)
        for number in range(count):
            await handler.write_message(
                json.dumps({"type": "offer", "sdp": "x" * 60_000, "from": str(number)})
            )
        sent.set()

    async with server_that(flood) as link, SignalingClient(link) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sent.wait(), 1.0)
        for number in range(count):
            message = await client.receive()
            assert isinstance(message, Offer)
            assert message.from_ == str(number)
        await asyncio.wait_for(sent.wait(), SECONDS)


async def test_closing_does_not_wait_for_a_server_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Leaving takes no longer than it may, whatever the server does."""
    monkeypatch.setattr("lenscast.peers.websocket.CLOSE_SECONDS", 0.1)
    release = asyncio.Event()

    async def stop_reading(handler: WebSocketHandler) -> None:
        await handler.write_message(REGISTERED)
        await release.wait()

    async with server_that(stop_reading) as link:
        async with SignalingClient(link) as client:
            assert isinstance(client._connection, WebSocketConnection)
            protocol = client._connection._socket.protocol
            begun = time.monotonic()
        assert time.monotonic() - begun < 4.0  # Tornado itself would wait for 5 s.
        assert protocol is not None
        assert protocol.stream is not None
        assert protocol.stream.closed()
        release.set()


async def test_after_closing_a_client_says_so(tmp_path: Path) -> None:
    """A closed client neither sends nor waits for messages for ever."""
    async with (
        running_server(Config(), tmp_path) as server,
        SignalingClient(server.receiver_link) as client,
    ):
        await client.close()
        with pytest.raises(ConnectionEnded, match="closed here"):
            await client.receive()
        with pytest.raises(ConnectionEnded, match="closed here"):
            await client.send(State({}))


async def test_cancelling_while_it_connects_leaves_nothing_open() -> None:
    """A socket that opens after nobody wants it any more is closed."""
    opened: list[WebSocketHandler] = []
    closed: asyncio.Queue[WebSocketHandler] = asyncio.Queue()

    class Counting(WebSocketHandler):
        def open(self, *_: str, **__: str) -> None:
            opened.append(self)

        async def on_message(self, message: str | bytes) -> None:
            await self.write_message(REGISTERED)

        def on_close(self) -> None:
            closed.put_nowait(self)

    async with serving(url("/ws", Counting)) as origin:
        for turns in range(12):
            client = SignalingClient(f"{origin}/receiver")
            entering = asyncio.ensure_future(client.__aenter__())
            for _ in range(turns):
                await asyncio.sleep(0)
            entering.cancel()
            await asyncio.gather(entering, return_exceptions=True)
            await client.close()
        # The last one is served after those before it.
        async with SignalingClient(f"{origin}/receiver"):
            pass
        assert len(opened) > 1
        async with asyncio.timeout(SECONDS):
            assert {await closed.get() for _ in opened} == set(opened)


async def test_a_link_of_https_is_trusted_by_its_ca(tmp_path: Path) -> None:
    """With the server's own CA wss works; without it the certificate is refused."""
    config = Config(server=dataclasses.replace(Server(), host="127.0.0.1"))
    async with running_server(config, tmp_path) as server:
        link = server.sender_link
        assert link.startswith("https://127.0.0.1:")
        with pytest.raises(ConnectionError, match="certificate"):
            async with SignalingClient(link):
                pass
        trusting = ssl.create_default_context(cadata=(tmp_path / "ca.pem").read_text())
        async with SignalingClient(link, ssl_context=trusting) as client:
            assert client.registered.role == "sender"
