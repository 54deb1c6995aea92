"""The audit log: who came, went, was refused or removed."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from signaling.audit import MAX_WINDOWS, Audit, Visitor
from signaling.config import Config, Log
from signaling.host import state_folder
from signaling.room.links import read_link
from signaling.server import SignalingServer
from tests.running_server import running_server
from tests.signaling.transport.client import client
from tests.signaling.transport.transports import http, websocket

SDP = "v=0\r\na=ice-ufrag:FraGmEnT\r\na=ice-pwd:AbCdEfGhIjKlMnOpQrStUvWx\r\n"
WRONG_KEY = "WrOnGwRoNgWrOnGwRoNgWr"
WHO = Visitor("p", "sender", "abc", None, "192.0.2.1")


class Written:
    """An audit log that keeps its lines, and a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.lines: list[dict[str, Any]] = []
        self.audit = Audit(lambda line: self.lines.append(json.loads(line)), lambda: self.now)


def test_a_line_says_who_when_from_where_and_in_which_role() -> None:
    """Each event is one JSON object."""
    written = Written()
    written.audit.joined(dataclasses.replace(WHO, name="My phone"), resumed=False)
    assert written.lines == [
        {
            "at": "1970-01-12T13:46:40.000+00:00",
            "event": "joined",
            "address": "192.0.2.1",
            "role": "sender",
            "room": "abc",
            "peer": "p",
            "name": "My phone",
        }
    ]


def test_whoever_goes_is_named_as_when_they_came() -> None:
    """With the reason; once."""
    written = Written()
    written.audit.joined(WHO, resumed=False)
    written.audit.away("p")
    written.audit.joined(WHO, resumed=True)
    written.audit.left("p", "lost")
    written.audit.left("p", "left")
    written.audit.removed("p", "removed")
    assert [(line["event"], line.get("reason")) for line in written.lines] == [
        ("joined", None),
        ("away", None),
        ("back", None),
        ("left", "lost"),
    ]
    assert all(line["address"] == "192.0.2.1" for line in written.lines)


def test_a_flood_of_refusals_is_counted() -> None:
    """One line at once, and one after a minute with how many there were since."""
    written = Written()
    for _ in range(1000):
        written.audit.refused("192.0.2.1", "bad-key", "sender")
    written.audit.refused("192.0.2.2", "bad-key")
    written.now += 59
    written.audit.tick()
    assert len(written.lines) == 2
    written.now += 1
    written.audit.tick()
    assert (written.lines[2]["address"], written.lines[2]["times"]) == ("192.0.2.1", 999)
    assert len(written.lines) == 3
    written.audit.refused("192.0.2.1", "bad-key")
    assert len(written.lines) == 4


def test_many_addresses_take_no_more_memory() -> None:
    """What the oldest has been refused is written when there are too many."""
    written = Written()
    for number in range(MAX_WINDOWS + 5):
        written.audit.refused(str(number), "bad-key")
        written.audit.refused(str(number), "bad-key")
    assert len(written.audit._windows) == MAX_WINDOWS
    assert sum(line.get("times", 0) for line in written.lines) == 5
    written.audit.close()
    assert sum(line.get("times", 0) for line in written.lines) == MAX_WINDOWS + 5


def test_without_a_file_nothing_is_remembered() -> None:
    """It is off by default."""
    audit = Audit(None, lambda: 0.0)
    audit.joined(WHO, resumed=False)
    audit.refused("192.0.2.1", "bad-key")
    assert (audit._present, audit._windows) == ({}, {})


async def visit(server: SignalingServer, opened: Any) -> list[str]:
    """Be refused, join, be cut off, come back, call and be removed; gives every secret of that."""
    link = read_link(server.sender_link)
    async with opened(server.receiver_link) as stranger:
        await stranger.send(type="register", role="sender", room=server.room, key=WRONG_KEY)
        assert (await stranger.receive_type("error"))["code"] == "bad-key"
        await stranger.closed()
    async with opened(server.receiver_link) as peer:
        first = await peer.register("sender", room=link.room, key=link.key, name="My phone")
        peer.break_off()
    async with opened(server.receiver_link) as peer:
        again = await peer.register(
            "sender", room=link.room, key=link.key, name="My phone", resume=first["resume"]
        )
        await peer.send(type="offer", sdp=SDP)
        await peer.receive_type("error")
        server.remove_peer(again["id"])
        assert (await peer.closed())[1] == "removed"
    passwords = [
        server_["credential"]
        for server_ in again["turnConfig"]["iceServers"]
        if "credential" in server_
    ]
    return [str(link.key), WRONG_KEY, first["resume"], again["resume"], "ice-pwd", *passwords]


@pytest.mark.parametrize("opened", [websocket, http], ids=["websocket", "http"])
async def test_a_visit_is_written_and_no_secret_of_it(tmp_path: Path, opened: Any) -> None:
    """A real server writes who was refused, joined, came back and was removed; no key, token,
    password or description."""
    path = tmp_path / "audit.log"
    settings = Config(log=Log(audit=str(path)))
    async with running_server(settings, tmp_path / "state") as server:
        secrets = await visit(server, opened)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    events = [line["event"] for line in lines if line["event"] != "away"]
    assert events == ["refused", "joined", "back", "removed"]
    refused, joined, removed = lines[0], lines[1], lines[-1]
    assert (refused["code"], refused["role"]) == ("bad-key", "sender")
    assert (joined["role"], joined["room"], joined["name"]) == ("sender", server.room, "My phone")
    assert {line["address"] for line in lines} == {"127.0.0.1"}
    assert removed["peer"] == joined["peer"]
    secrets.append(state_folder.load_secret(tmp_path / "state").hex())
    assert [secret for secret in secrets if secret in path.read_text()] == []


async def test_a_disk_that_is_full_stops_nobody(tmp_path: Path) -> None:
    """The server goes on as if there were no audit log."""
    settings = Config(log=Log(audit="/dev/full"))
    async with running_server(settings, tmp_path) as server:
        link = read_link(server.receiver_link)
        for _ in range(3):
            async with client(server.receiver_link) as peer:
                await peer.register("receiver", room=link.room, key=link.key)
