"""`lenscast links`: rooms, links and who is there; links that end."""

import argparse
import asyncio
import contextlib
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lenscast.cli import main
from lenscast.commands import links, tables
from signaling.config import Config
from signaling.room.terms import Terms
from tests.lenscast.commands.command import ask, refused, run
from tests.lenscast.commands.visitor import turned_away, visitor
from tests.running_server import running_server
from tests.signaling.test_serve import lenscast, serving


async def test_rooms_links_and_people_are_listed(tmp_path: Path) -> None:
    """The server's own room first; the links are those that it printed, and people have names."""
    with serving(tmp_path) as (_process, server):
        made = await ask(tmp_path, "room")
        async with visitor(server, server["sender"], name="My phone") as phone:
            found = await ask(tmp_path, "links")
            text = (await asyncio.to_thread(run, tmp_path, "links")).stdout
        home, other = found["rooms"]
        assert (found["running"], home["home"], other["home"]) == (True, True, False)
        assert home["links"]["sender"] == server["sender"]
        assert home["links"]["receiver"] == server["receiver"]
        assert (other["room"], other["links"]) == (made["room"], made["links"])
        (peer,) = home["peers"]
        assert (peer["peer"], peer["role"], peer["name"]) == (phone.id, "sender", "My phone")
        assert (peer["address"], peer["away"]) == ("127.0.0.1", False)
        row = next(line for line in text.splitlines() if phone.id in line)
        assert row.split()[:3] == [phone.id, "sender", "127.0.0.1"]
        assert row.endswith("My phone")
        one = await ask(tmp_path, "links", made["room"], "--role", "viewer")
        assert one["rooms"] == [{**other, "links": {"viewer": made["links"]["viewer"]}}]


async def test_links_that_end(tmp_path: Path) -> None:
    """A link ends after its time, and one for one visit when somebody has come by it."""
    with serving(tmp_path) as (_process, server):
        brief = await ask(tmp_path, "links", "--role", "viewer", "--expires", "1s")
        long = await ask(tmp_path, "links", "--role", "viewer", "--expires", "2h")
        once = (await ask(tmp_path, "links", "--once", "--role", "receiver"))["links"]["receiver"]
        assert set(long["links"]) == {"viewer"}
        async with visitor(server, long["links"]["viewer"]):
            pass
        async with visitor(server, once) as peer:
            assert "invite" not in peer.registered
            assert await turned_away(server, once) == "link-ended"
        assert await turned_away(server, once) == "link-ended"
        while await turned_away_or_in(server, brief["links"]["viewer"]) != "link-ended":
            await asyncio.sleep(0.1)


async def turned_away_or_in(server: dict[str, str], link: str) -> str:
    try:
        return await turned_away(server, link)
    except AssertionError:
        return ""


async def test_whoever_came_by_a_link_is_put_out_when_it_ends(tmp_path: Path) -> None:
    """With a close code after which no client comes back by itself."""
    async with running_server(Config(), tmp_path) as server:
        terms = Terms(until=round(time.time()) + 3600)
        link = server.links.link(server.public_origin(), "viewer", server.room, terms=terms)
        async with visitor({"receiver": server.receiver_link}, link) as guest:
            (room,) = server.rooms.all()
            room.peers[guest.id].terms = Terms(until=1)  # An hour later.
            server.hub.tick()
            assert await guest.peer.closed() == (4003, "link-ended")


def test_without_a_server_the_links_of_its_own_room_are_printed(tmp_path: Path) -> None:
    """They are those that it has once it runs; it says that none runs."""
    file = tmp_path / "c.yaml"
    file.write_text("server: {host: 127.0.0.1, port: 9443}\n")
    done = run(tmp_path, "links", "--config", str(file))
    assert done.returncode == 0
    assert "No lenscast runs" in done.stderr
    with serving(tmp_path, "--host", "127.0.0.1") as (_process, server):
        fragment = server["sender"].partition("#")[2]
    assert f"https://127.0.0.1:9443/sender#{fragment}" in done.stdout


def test_what_needs_a_server_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one sentence, not a traceback."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for words in (["room"], ["end", "abc"], ["remove", "x"], ["links", "--once"]):
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n"), err.endswith("Start it with: lenscast\n")) == ("", 1, True)


def test_a_server_that_was_killed_does_not_run(tmp_path: Path) -> None:
    """The socket that it left misleads nobody, and the next server is found."""
    with serving(tmp_path) as (process, _server):
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert list((tmp_path / "lenscast").glob("control-*"))
    assert "No lenscast" in refused(tmp_path, "end", "abc")
    with serving(tmp_path):
        assert "There is no room abc" in refused(tmp_path, "end", "abc")


def test_of_several_servers_one_is_chosen(tmp_path: Path) -> None:
    """By its port on 127.0.0.1; the sentence names the ports."""
    with serving(tmp_path) as (_one, first), serving(tmp_path) as (_two, second):
        ports = {str(first["local_port"]), str(second["local_port"])}
        sentence = refused(tmp_path, "links")
        assert all(port in sentence for port in ports)
        done = run(tmp_path, "links", "--local-port", str(second["local_port"]))
        assert second["receiver"] in done.stdout
        assert first["receiver"] not in done.stdout


def test_the_socket_is_closed_to_other_users(tmp_path: Path) -> None:
    """Mode 0600; it goes when the server stops."""
    with serving(tmp_path) as (process, server):
        path = tmp_path / "lenscast" / f"control-{server['local_port']}.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.is_socket()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not path.exists()


def test_a_path_that_is_too_long_for_a_socket_does_no_harm(tmp_path: Path) -> None:
    """Commands reach the server all the same."""
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    with serving(folder) as (_process, server):
        assert server["receiver"] in run(folder, "links").stdout


def test_without_keys_no_link_can_end(tmp_path: Path) -> None:
    """With `access: open` the commands say so."""
    file = tmp_path / "c.yaml"
    file.write_text("access: open\n")
    with serving(tmp_path, "--config", str(file)) as (_process, server):
        assert "access: open" in refused(tmp_path, "links", "--expires", "2h")
        assert server["sender"] in run(tmp_path, "links").stdout


@pytest.mark.parametrize("text", ["2", "0h", "-1h", "9999d", "h", "1.5h"])
def test_a_wrong_time_is_explained(text: str) -> None:
    """The sentence shows how to write one."""
    with pytest.raises(argparse.ArgumentTypeError, match="2h"):
        links.duration(text)


def test_interrupting_shows_no_traceback(tmp_path: Path) -> None:
    """Ctrl-C ends a command that waits for a server, with the code that shells use."""
    folder = tmp_path / "lenscast"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(folder / "control-1.sock"))
        mute.listen()
        mute.settimeout(60)
        for words in (["links"], ["rotate"]):
            with lenscast(tmp_path, *words) as command, asked(mute):
                command.send_signal(signal.SIGINT)
                _out, err = command.communicate(timeout=30)
                assert (command.returncode, "Traceback" in err) == (130, False)
                assert ("Run the command again" in err) == (words == ["rotate"])


@contextlib.contextmanager
def asked(mute: socket.socket) -> Iterator[None]:
    """Take requests until one comes, and do not answer it."""
    request = b""
    while not request:  # One connects only to see whether anybody is there.
        connection, _ = mute.accept()
        with connection:
            request = connection.recv(1000)
            if request:
                yield


def test_a_name_moves_no_cursor() -> None:
    """What a peer calls itself is printed without control characters."""
    room = {
        "room": "abc",
        "type": "camera",
        "home": False,
        "links": {"viewer": "https://x/"},
        "peers": [
            {
                "peer": "p",
                "role": "sender",
                "name": "a\x1b[2J\n\u202eb",
                "address": None,
                "away": True,
                "since": "2026-01-01T00:00:00+00:00",
            }
        ],
    }
    text = tables.rooms([room])
    assert text.endswith("a?[2J??b")
