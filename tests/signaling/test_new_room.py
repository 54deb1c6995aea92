"""`lenscast room`: a new room on the server that runs."""

import asyncio
import contextlib
import json
import socket
from pathlib import Path

import pytest

from lenscast.cli import main
from signaling.config import Config
from signaling.server import SignalingServer
from tests.running_server import running_server
from tests.signaling.transport.client import client


async def command(*words: str) -> int:
    """Run the command beside the server, which is in this process."""
    return await asyncio.to_thread(main, ["room", *words])


async def test_a_new_room_has_a_link_for_each_role(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each link opens the room in its role, and no other room."""
    async with running_server(Config(), tmp_path) as server:
        assert await command("--local-port", str(server.local_port), "--json") == 0
        made = json.loads(capsys.readouterr().out)
        assert set(made["links"]) == {"sender", "receiver", "viewer"}
        assert made["room"] != server.room
        await joins(server, made["room"], made["links"])


async def joins(server: SignalingServer, room: str, links: dict[str, str]) -> None:
    """Register by each link."""
    async with contextlib.AsyncExitStack() as stack:
        for role, link in links.items():
            peer = await stack.enter_async_context(client(server.receiver_link))
            key = link.rpartition(".")[2]
            registered = await peer.register(role, room=room, key=key)
            assert (registered["type"], registered["role"]) == ("registered", role)


async def test_the_links_are_printed_for_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line for each role, its name first; a proxy of the environment is not asked."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with running_server(Config(), tmp_path) as server:
        assert await command("--local-port", str(server.local_port)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["Sender", "Receiver", "Viewer"]


async def test_an_unknown_kind_of_room_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence names the kinds that there are."""
    async with running_server(Config(), tmp_path) as server:
        assert await command("ballroom", "--local-port", str(server.local_port)) == 2
    assert "camera" in capsys.readouterr().err


async def test_without_a_server_the_command_says_how_to_start_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2 and one sentence, not a traceback."""
    with socket.socket() as taken:  # Bound, so that it is nobody else's, and not listening.
        taken.bind(("127.0.0.1", 0))
        assert await command("--local-port", str(taken.getsockname()[1])) == 2
    assert capsys.readouterr().err.strip().endswith("Start it with: lenscast")
