"""The local socket by which commands reach a running server."""

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from signaling.host import control_socket
from signaling.host.control_socket import ControlSocket, Found, NotRunning
from signaling.setup_error import SetupError


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Say what was asked; refuse what is wrong."""
    if request.get("do") == "wrong":
        raise ValueError("That is wrong.")
    return {"asked": request}


@contextlib.asynccontextmanager
async def listening(folder: Path, number: int = 8080) -> AsyncIterator[Found]:
    """A control socket, and how it is found."""
    control = ControlSocket(folder, number, answer)
    await control.open()
    try:
        (found,) = await asyncio.to_thread(control_socket.servers, folder)
        await ask(found)  # So that the connection from looking for it has been taken.
        yield found
    finally:
        await control.close()


@pytest.fixture(params=["socket", "port"])
def folder(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with a socket; or, where its path would be too long, with a port."""
    if request.param == "port":
        monkeypatch.setattr(control_socket, "MAX_PATH", 10)
    return tmp_path


async def ask(found: Found, **request: Any) -> dict[str, Any]:
    return await asyncio.to_thread(control_socket.ask, found, request)


async def test_a_request_is_answered(folder: Path) -> None:
    """The server is found by its number, and answers each request."""
    async with listening(folder) as found:
        assert found.number == 8080
        assert await ask(found, do="x", text="ä\n") == {"asked": {"do": "x", "text": "ä\n"}}
        assert await ask(found, do="y") == {"asked": {"do": "y"}}


async def test_what_is_refused_is_a_sentence(folder: Path) -> None:
    """It comes back as an error for a person."""
    async with listening(folder) as found:
        with pytest.raises(SetupError, match=r"^That is wrong\.$"):
            await ask(found, do="wrong")


async def test_only_its_user_can_open_it(folder: Path) -> None:
    """The socket, or the file with port and token, has mode 0600; it goes with the server."""
    async with listening(folder) as found:
        assert stat.S_IMODE(found.path.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == []
    with pytest.raises(NotRunning):
        await ask(found, do="x")


async def test_what_a_killed_server_left_is_passed_over(folder: Path) -> None:
    """No server is found there, and the next one takes its place."""
    (folder / "control-9.sock").touch()
    (folder / "control-10.json").write_text("{}")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "control-8080.sock"))
    assert control_socket.servers(folder) == []
    async with listening(folder) as found:
        assert await ask(found, do="x")


async def test_a_running_server_keeps_its_socket(tmp_path: Path) -> None:
    """Another one with the same number says so, and leaves it alone."""
    async with listening(tmp_path) as found:
        with pytest.raises(SetupError, match="another lenscast listens there"):
            await ControlSocket(tmp_path, 8080, answer).open()
        assert await ask(found, do="x")


async def test_a_port_wants_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reaches the port and does not know the token is refused."""
    monkeypatch.setattr(control_socket, "MAX_PATH", 10)
    async with listening(tmp_path) as found:
        told = json.loads(found.path.read_text())
        for token in ({}, {"token": "wrong"}, {"token": 5}):
            found.path.write_text(json.dumps({"token": "", **token, "port": told["port"]}))
            with pytest.raises(SetupError, match="token is wrong"):
                await ask(found, do="x")


@pytest.mark.parametrize("text", [b"\n", b"[]\n", b"{\n", b"[" * 60000 + b"\n", b"x" * 70000])
async def test_garbage_is_no_request(tmp_path: Path, text: bytes) -> None:
    """It is answered or the connection ends; the next request is answered as ever."""
    async with listening(tmp_path) as found:
        reader, writer = await asyncio.open_unix_connection(str(found.path))
        writer.write(text)
        got = await asyncio.wait_for(reader.read(), 10)
        assert got == b"" or "error" in json.loads(got)
        writer.close()
        assert await ask(found, do="x")


async def test_who_says_nothing_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that hangs holds nothing up for long."""
    monkeypatch.setattr(control_socket, "REQUEST_SECONDS", 0.1)
    async with listening(tmp_path) as found:
        reader, writer = await asyncio.open_unix_connection(str(found.path))
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """It names what does not work then."""
    nowhere = tmp_path / "nowhere"
    with pytest.raises(SetupError, match="lenscast links"):
        await ControlSocket(nowhere, 8080, answer).open()


async def test_a_server_that_does_not_answer_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command waits for some time only."""
    monkeypatch.setattr(control_socket, "ANSWER_SECONDS", 0.1)
    path = tmp_path / "control-8080.sock"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(os.fspath(path))
        mute.listen()
        with pytest.raises(SetupError, match="does not answer"):
            await ask(Found(8080, path), do="x")
