"""What no log of a peer in Python may hold, at any level, its libraries' logs included."""

import asyncio
import logging
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aioice.mdns  # noqa: F401 - so that its logger is there
import pytest
import pytest_asyncio

from lenscast.peers.member import Member
from lenscast.peers.receiver import Receiver
from lenscast.peers.sender import Sender
from lenscast.peers.signaling import SignalingClient
from signaling.config import Config
from signaling.room.links import read_link
from signaling.room.messages import Offer, PeerConnected
from tests.lenscast.numbered_picture import MadePicture
from tests.running_server import local_sender_link, running_server
from tests.signaling.test_serve import serving
from turn.quiet import LOGGERS

SECONDS = 20.0
PARTS = ["a=ice-", "a=fingerprint", "m=video", "typ relay", "MESSAGE-INTEGRITY"]
"""Of descriptions, candidates and STUN messages."""


@pytest_asyncio.fixture
async def everything_is_logged(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """Every logger logs at level debug, and the event loop each step that it takes."""
    loop = asyncio.get_running_loop()
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.NOTSET, logger=name)
    duration = loop.slow_callback_duration
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    yield
    loop.set_debug(False)
    loop.slow_callback_duration = duration


def written(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that a handler could write of the records, extras included."""
    formatter = logging.Formatter("%(name)s %(message)s")
    return "\n".join(f"{formatter.format(r)} {r.args!r} {vars(r)!r}" for r in caplog.records)


def secrets_of(peer: Member) -> list[str]:
    """What only this peer and those that it talks with may know."""
    client = peer._client
    secrets = [str(client.link.key), str(client.registered.resume)]
    secrets += [one["credential"] for one in client.registered.ice_servers if "credential" in one]
    for session, _ in peer._sessions._sessions.values():
        for described in (
            session.connection.localDescription,
            session.connection.remoteDescription,
        ):
            secrets += re.findall(r"a=(?:ice-pwd|fingerprint):(\S.*\S)", described.sdp)
    assert len(secrets) >= 6
    assert all(len(secret) >= 16 for secret in secrets)
    return secrets


@pytest.mark.usefixtures("everything_is_logged")
async def test_a_whole_session_leaves_no_secret_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After pictures over a relay and an offer that cannot be used, no log holds a key, a token, a
    TURN password, or any part of a description."""
    async with running_server(Config(), tmp_path) as server:
        sender = Sender(local_sender_link(server), MadePicture(320, 240, 15), relay_only=True)
        async with (
            Receiver(server.receiver_link, relay_only=True) as receiver,
            sender,
            SignalingClient(local_sender_link(server)) as bad,
        ):
            await asyncio.wait_for(receiver.frame(), SECONDS)
            secrets = [*secrets_of(sender), *secrets_of(receiver), *PARTS]
            assert isinstance(await bad.receive(), PeerConnected)
            session, _ = receiver._sessions._sessions[sender.id]
            offer = session.connection.remoteDescription.sdp
            await bad.send(Offer(offer.replace("a=setup:", "a=nothing:")))
            async with asyncio.timeout(SECONDS):
                while "its offer is unusable" not in caplog.text:
                    await asyncio.sleep(0.01)
    log = written(caplog)
    assert [secret for secret in secrets if secret in log] == []


def test_every_logger_of_the_libraries_is_kept_quiet() -> None:
    """A new version may have more of them."""
    made = set(logging.root.manager.loggerDict)
    assert {name for name in made if name.startswith(("aioice.", "aiortc."))} == set(LOGGERS)


def test_a_traceback_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """aiortc logs some as text, and the last line of one quotes what was sent."""
    log = logging.getLogger("aiortc.rtcdtlstransport")
    log.warning("RTCDtlsTransport(server) Traceback\nValueError: a=ice-pwd:secret")
    log.warning("a sentence of %s words", 5)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["could not use what a peer sent", "a sentence of 5 words"]


async def test_the_command_leaves_no_secret_in_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lenscast` at level debug, with asyncio's own debugging, over a whole session."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    config = tmp_path / "config.yaml"
    config.write_text("log: {level: debug}\n")
    with serving(tmp_path, "--config", str(config)) as (process, said):
        link = read_link(said["sender"])
        local = f"http://127.0.0.1:{said['local_port']}/sender#{link.room}.{link.key}"
        sender = Sender(local, MadePicture(320, 240, 15), relay_only=True)
        async with Receiver(said["receiver"], relay_only=True) as receiver, sender:
            await asyncio.wait_for(receiver.frame(), SECONDS)
            secrets = [*secrets_of(sender), *secrets_of(receiver), *PARTS]
        process.send_signal(signal.SIGTERM)
        out, log = await asyncio.to_thread(process.communicate, timeout=30)
    assert sender.id in log
    assert [secret for secret in secrets if secret in out + log] == []
