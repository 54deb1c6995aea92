"""A server that is killed and started again: who was there comes back, who has left does not."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.signaling.room.imaginary import CHAT
from tests.signaling.transport.raw import ask, request
from tests.signaling.transport.server_process import ServerProcess, server_process
from tests.signaling.transport.transports import websocket

ROOM = {"access": "key"}


async def new_class(server: ServerProcess) -> dict[str, Any]:
    """What a leader registers with, in a new room of the imaginary kind."""
    place = urlsplit(server.link)
    body = b'{"type": "classroom"}'
    message = request("/api/rooms", method="POST", host=place.netloc, body=body)
    assert place.port
    _status, _headers, answer = await ask(place.port, message)
    made = json.loads(answer)
    return {
        "room": made["room"],
        "roomType": "classroom",
        "key": made["links"]["leader"].rpartition(".")[2],
    }


async def test_who_has_said_goodbye_does_not_resume(tmp_path: Path) -> None:
    """Its token, which is genuine, gives a new id; who was cut off by the kill resumes."""
    with server_process(tmp_path) as server:
        async with websocket(server.link) as stays, websocket(server.link) as leaves:
            left = await leaves.register("receiver")
            stayed = await stays.register("sender")
            await stays.receive_type("peer-connected")
            await leaves.leave()
            assert (await stays.receive_type("peer-disconnected"))["reason"] == "left"
            server.kill()
            assert (await stays.closed())[0] is None
    with server_process(tmp_path) as server:
        async with websocket(server.link) as stays, websocket(server.link) as leaves:
            again = await stays.register("sender", resume=stayed["resume"])
            assert (again["id"], again["resumed"]) == (stayed["id"], True)
            other = await leaves.register("receiver", resume=left["resume"])
            assert other["id"] != left["id"]
            assert "resumed" not in other


@pytest.mark.parametrize("when", ["before the kill", "after the restart"])
async def test_a_room_that_was_ended_stays_closed(tmp_path: Path, when: str) -> None:
    """Neither the token of somebody who was in it opens it again nor the key of its leader."""
    with server_process(tmp_path, access="key") as server:
        leader = await new_class(server)
        member = {**leader, "key": None}
        async with websocket(server.link) as leads, websocket(server.link) as follows:
            tokens = {
                "leader": (await leads.register("leader", **leader))["resume"],
                "member": (await follows.register("member", **member))["resume"],
            }
            if when == "before the kill":
                await leads.send(type="end")
                assert await follows.closed() == (4003, "ended")
            server.kill()
            await leads.closed()
    with server_process(tmp_path, access="key") as server:
        if when == "after the restart":
            async with websocket(server.link) as leads:
                again = await leads.register("leader", **leader, resume=tokens["leader"])
                assert again["resumed"]
                await leads.send(type="end")
                assert await leads.closed() == (4003, "ended")
        for role, how in (("member", member), ("leader", leader)):
            async with websocket(server.link) as peer:
                await peer.send(type="register", role=role, **how, resume=tokens[role])
                assert (await peer.receive_type("error"))["code"] == "no-room"


async def test_the_numbers_of_what_is_said_only_grow(tmp_path: Path) -> None:
    """A server that was started again goes on from a higher number, so nothing looks heard."""
    numbers = []
    for _ in range(2):
        with server_process(tmp_path) as server:
            async with websocket(server.link) as peer:
                await peer.register("leader", room="abc", roomType="classroom")
                for _ in range(3):
                    await peer.send(type="say", kind=CHAT, body="x")
                    said = await peer.receive()
                    while said["type"] != "say":
                        said = await peer.receive()
                    numbers.append(said["n"])
            server.kill()
    assert numbers == sorted(set(numbers))
