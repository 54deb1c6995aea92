"""What no log may hold, at any level: keys, passwords, tokens and session descriptions."""

import asyncio
import base64
import dataclasses
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aioice import stun
from aioice.turn import TurnTransport, create_turn_endpoint

from signaling.config import Config
from signaling.host import state_folder
from signaling.room.links import read_link
from signaling.server import SignalingServer
from tests.running_server import running_server
from tests.signaling.transport.raw import ask, request
from tests.signaling.transport.transports import HttpPeer, http, websocket

PASSWORD, FRAGMENT = "AbCdEfGhIjKlMnOpQrStUvWx", "FraGmEnT"
SDP = f"v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:{FRAGMENT}\r\na=ice-pwd:{PASSWORD}\r\n"
CANDIDATE = f"candidate:1 1 udp 1 198.51.100.77 9 typ host ufrag {FRAGMENT}"
WRONG_KEY = "WrOnGwRoNgWrOnGwRoNgWr"
SECRETS = [PASSWORD, FRAGMENT, "a=ice", "198.51.100.77", WRONG_KEY]


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Every logger logs at level debug."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.NOTSET, logger=name)


def written(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that a handler could write of the records: tracebacks, arguments and extras
    too.

    But for aioice's: that is the client here, and logs for itself.
    """
    formatter = logging.Formatter("%(name)s %(message)s")
    records = [r for r in caplog.records if not r.name.startswith("aioice")]
    return "\n".join(f"{formatter.format(r)} {r.args!r} {vars(r)!r}" for r in records)


async def exchange(sender: Any, receiver: Any) -> None:
    """The messages of a call in both directions, and messages that are refused."""
    candidate = {"candidate": CANDIDATE, "sdpMid": "0", "usernameFragment": FRAGMENT}
    await sender.send(type="offer", sdp=SDP)
    await receiver.receive_type("offer")
    await receiver.send(type="answer", sdp=SDP)
    await sender.receive_type("answer")
    for one, other in ((sender, receiver), (receiver, sender)):
        await one.send(type="ice-candidate", candidate=candidate)
        await other.receive_type("ice-candidate")
    for refused in (
        {"type": "offer", "sdp": [SDP]},
        {"type": "offer", "sdp": SDP * 1000},
        {"type": "offer", "sdp": SDP, "to": PASSWORD},
        {"type": "answer", "sdp": SDP},
        {"type": "ice-candidate", "candidate": CANDIDATE},
        {"type": SDP[:100]},
    ):
        await sender.send(**refused)
        await sender.receive_type("error")
    await sender.send_text(json.dumps({"type": "offer", "sdp": SDP})[:-1])
    await sender.receive_type("error")


@asynccontextmanager
async def joined(
    server: SignalingServer, role: str, opened: Any, **more: str
) -> AsyncIterator[Any]:
    """A peer that has registered with its link and has read the first messages."""
    link = read_link(server.sender_link if role == "sender" else server.receiver_link)
    async with opened(server.receiver_link) as peer:
        peer.registered = await peer.register(role, room=link.room, key=link.key, **more)
        yield peer


@pytest.mark.parametrize("opened", [websocket, http], ids=["websocket", "http"])
async def test_a_whole_session_leaves_no_secret_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, opened: Any
) -> None:
    """After a wrong key, a call, refusals, a resumption, and requests with a misplaced key, the
    log names peers and rooms but holds nothing that opens or describes them.
    """
    async with running_server(Config(), tmp_path) as server:
        secrets = [*SECRETS, *server_secrets(server, tmp_path)]
        async with opened(server.receiver_link) as stranger:
            await stranger.send(type="register", role="sender", room=server.room, key=WRONG_KEY)
            assert (await stranger.receive_type("error"))["code"] == "bad-key"
            await stranger.closed()
        key = str(read_link(server.sender_link).key)
        await ask(server.local_port, request(f"/sender?key={key}"))
        await ask(server.port, request(f"/sender?key={key}"))
        async with joined(server, "receiver", opened) as receiver:
            async with joined(server, "sender", opened) as sender:
                await sender.receive_type("peer-connected")
                await receiver.receive_type("peer-connected")
                await exchange(sender, receiver)
                sender.break_off()
                assert (await receiver.receive_type("peer-disconnected"))["reason"] == "away"
            token = sender.registered["resume"]
            async with joined(server, "sender", opened, resume=token) as again:
                assert again.registered["resumed"] is True
                for peer in (sender, receiver, again):
                    secrets += said_in_secret(peer)
    log = written(caplog)
    assert sender.registered["id"] in log, "nothing was logged"
    assert [secret for secret in secrets if secret in log] == []


async def test_the_relay_leaves_no_password_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After a right password, a wrong one, and use of the relay, the log holds no password."""
    settings = dataclasses.replace(Config(), access="open")
    async with (
        running_server(settings, tmp_path) as server,
        websocket(server.receiver_link) as peer,
    ):
        registered = await peer.register("sender")
        relay = registered["turnConfig"]["iceServers"][0]
        user, password = relay["username"], relay["credential"]
        with pytest.raises(stun.TransactionFailed):
            await allocate(server, user, WRONG_KEY)
        transport = await allocate(server, user, password)
        transport.sendto(b"data", ("127.0.0.1", 9))
        transport.close()
    log = written(caplog)
    assert str(registered["id"]) in log, "nothing was logged"
    assert password not in log
    assert WRONG_KEY not in log


async def allocate(server: SignalingServer, user: str, password: str) -> TurnTransport:
    """Make an allocation at the embedded relay."""
    transport, _protocol = await asyncio.wait_for(
        create_turn_endpoint(
            asyncio.DatagramProtocol,
            ("127.0.0.1", server.port),
            user,
            password,
            transport="tcp",
        ),
        10,
    )
    return transport


def server_secrets(server: SignalingServer, folder: Path) -> list[str]:
    """The keys of both links, and the secret behind them in every way it could be written."""
    secret = state_folder.load_secret(folder)
    keys = [str(read_link(link).key) for link in (server.sender_link, server.receiver_link)]
    return [*keys, secret.hex(), base64.b64encode(secret).decode(), repr(secret)]


def said_in_secret(peer: Any) -> list[str]:
    """What the server told only one peer."""
    registered = peer.registered
    told = [registered["resume"], registered["resume"].rpartition(".")[2]]
    told += [
        server["credential"]
        for server in registered["turnConfig"]["iceServers"]
        if "credential" in server
    ]
    if isinstance(peer, HttpPeer):
        told.append(peer.session)
    assert all(len(secret) >= 16 for secret in told)
    return told
