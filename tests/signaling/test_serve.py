"""The command: what it prints, what it says if it cannot start, and how it stops."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signaling import serve
from signaling.room.links import read_link
from tests.signaling.transport.client import client

FREE_PORTS = ["--port", "0", "--local-port", "0"]


def environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return {**kept, "XDG_STATE_HOME": str(folder), "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def lenscast(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command as a user would, with a state folder of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "lenscast", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run the command, wait until it listens, and read its JSON line."""
    with lenscast(folder, "--json", "--no-open", *FREE_PORTS, *options) as process:
        assert process.stdout
        yield process, json.loads(process.stdout.readline())


def failing(folder: Path, *options: str) -> str:
    """Run a command that cannot start, and return its one line of output."""
    done = subprocess.run(
        [sys.executable, "-m", "lenscast", *options],
        capture_output=True,
        text=True,
        env=environment(folder),
        timeout=20,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_json_is_exactly_one_line_with_both_links(tmp_path: Path) -> None:
    """`--json` prints room, links, ports and TURN mode; the receiver's link is on the loopback
    address.
    """
    with serving(tmp_path) as (process, said):
        assert set(said) == {"room", "receiver", "sender", "port", "local_port", "turn"}
        receiver, sender = read_link(said["receiver"]), read_link(said["sender"])
        assert receiver.origin == f"http://127.0.0.1:{said['local_port']}"
        assert sender.origin.startswith("https://")
        assert sender.origin.endswith(f":{said['port']}")
        assert receiver.room == sender.room == said["room"]
        assert receiver.key != sender.key
        process.send_signal(signal.SIGTERM)
        out, _err = process.communicate(timeout=30)
        assert out == ""


async def test_the_links_of_the_json_line_open_the_room(tmp_path: Path) -> None:
    """A program can register with the links in the line."""
    with serving(tmp_path) as (_process, said):
        for url in (said["receiver"], said["sender"]):
            link = read_link(url)
            async with client(said["receiver"]) as peer:
                answer = await peer.register(link.role, room=link.room, key=link.key)
                assert answer["room"] == said["room"]


def test_links_are_the_same_after_a_restart(tmp_path: Path) -> None:
    """A phone's old link still works: it has the same room and the same key."""
    with serving(tmp_path) as (_process, first), serving(tmp_path) as (_process, second):
        assert first["room"] == second["room"]
        assert read_link(first["sender"]).key == read_link(second["sender"]).key


def test_a_person_is_shown_both_links_the_code_and_turn(tmp_path: Path) -> None:
    """Without `--json`, the command prints the links, the QR code, a line about TURN, and how to
    stop it.
    """
    with lenscast(tmp_path, "--no-open", *FREE_PORTS) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        text = "".join(lines)
        assert re.search(r"^  Phone +https://\S+/sender#\S+\.\S+$", text, re.MULTILINE)
        assert re.search(r"^  Laptop +http://127\.0\.0\.1:\d+/receiver#\S+$", text, re.MULTILINE)
        assert text.count("█") > 100
        assert len(re.findall(r"^  TURN: ", text, re.MULTILINE)) == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr
        assert "Traceback" not in process.stderr.read()


def test_no_argument_of_a_program_holds_a_key(tmp_path: Path) -> None:
    """The browser is started with an address that leads to the laptop's link, once."""
    browser, started = tmp_path / "browser", tmp_path / "arguments"
    browser.write_text(f'#!/bin/sh\necho "$@" > {started}.part\nmv {started}.part {started}\n')
    browser.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-m", "lenscast", "--json", *FREE_PORTS],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(tmp_path) | {"DISPLAY": ":99", "BROWSER": str(browser)},
    ) as process:
        try:
            assert process.stdout
            said = json.loads(process.stdout.readline())
            until = time.monotonic() + 30
            while not started.exists():
                assert time.monotonic() < until
                time.sleep(0.02)
            address = started.read_text().strip()
            for link in (said["receiver"], said["sender"]):
                assert str(read_link(link).key) not in address
            assert address.startswith(f"http://127.0.0.1:{said['local_port']}/")
            with urllib.request.urlopen(address, timeout=30) as answer:
                assert answer.url == said["receiver"]
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(address, timeout=30)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"),
    [(256, 4096, 4096), (256, resource.RLIM_INFINITY, 8192), (65536, 65536, None)],
)
def test_the_command_takes_as_many_files_as_it_may(
    soft: int, hard: int, wanted: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command raises its limit of open files as far as allowed, or to what all clients can
    need.
    """
    limits = {resource.RLIMIT_NOFILE: (soft, hard)}
    monkeypatch.setattr(resource, "getrlimit", limits.__getitem__)
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    serve._allow_files()
    assert limits[resource.RLIMIT_NOFILE] == (wanted or soft, hard)


def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that allows fewer files than it reports does not keep the command from serving."""

    def refuse(*_arguments: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    serve._allow_files()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ending_tells_every_client(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM close each socket with 1001, and the command exits with 0."""
    with serving(tmp_path) as (process, said):
        link = read_link(said["receiver"])
        async with client(said["receiver"]) as peer:
            await peer.register("receiver", room=link.room, key=link.key)
            process.send_signal(number)
            code, _reason = await peer.closed()
            assert code == 1001
        assert process.wait(30) == 0
        assert process.stderr
        assert "Traceback" not in process.stderr.read()


async def test_a_client_that_does_not_close_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """The command stops soon, even if a socket never answers."""
    with serving(tmp_path) as (process, said):
        link = read_link(said["receiver"])
        with socket.create_connection(("127.0.0.1", said["local_port"])) as stuck:
            stuck.sendall(
                b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            assert b"101" in stuck.recv(100)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        assert link.key


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    """The error names the port and what to do; exit code 2, no traceback."""
    with socket.create_server(("0.0.0.0", 0)) as taken:
        number = str(taken.getsockname()[1])
        said = failing(tmp_path, "--no-open", "--port", number, "--local-port", "0")
    assert f"Port {number} is in use" in said
    assert "--port" in said


def test_an_unknown_key_is_one_sentence(tmp_path: Path) -> None:
    """The error names the file, the key, and the nearest known key."""
    file = tmp_path / "c.yaml"
    file.write_text("server: {pot: 1}\n")
    said = failing(tmp_path, "--config", str(file))
    assert f"{file}: There is no key server.pot. Did you mean server.port?" in said


def test_a_configuration_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """The error names the path."""
    assert "Cannot read the configuration" in failing(tmp_path, "--config", "/nowhere.yaml")


def test_an_unreadable_certificate_is_one_sentence(tmp_path: Path) -> None:
    """The error names the file."""
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    file = tmp_path / "c.yaml"
    file.write_text("server: {tls: files, certificate: bad.pem, private_key: none.pem}\n")
    assert str(bad) in failing(tmp_path, "--config", str(file), *FREE_PORTS)


def test_a_damaged_secret_is_one_sentence_and_stays_as_it_is(tmp_path: Path) -> None:
    """The error names the file, and nothing is overwritten."""
    with serving(tmp_path):
        pass
    (secret,) = (tmp_path / "lenscast").glob("secret*")
    secret.write_bytes(b"short")
    assert str(secret) in failing(tmp_path, "--no-open", *FREE_PORTS)
    assert secret.read_bytes() == b"short"


def test_options_override_the_file(tmp_path: Path) -> None:
    """`--host`, `--port` and `--local-port` override the configuration."""
    file = tmp_path / "c.yaml"
    file.write_text("server: {host: 203.0.113.1, port: 1, local_port: 1}\naccess: open\n")
    with serving(tmp_path, "--config", str(file), "--host", "127.0.0.1") as (_process, said):
        assert said["sender"] == f"https://127.0.0.1:{said['port']}/sender"
        assert said["receiver"] == f"http://127.0.0.1:{said['local_port']}/receiver"
        assert said["room"] == "default"


def test_help_has_an_example(tmp_path: Path) -> None:
    """`--help` shows an example, for the program and for each command."""
    for words in (["--help"], ["serve", "--help"], ["coturn", "--help"]):
        done = subprocess.run(
            [sys.executable, "-m", "lenscast", *words], capture_output=True, text=True, check=True
        )
        assert "example:" in done.stdout


def test_a_bad_port_is_said_plainly(tmp_path: Path) -> None:
    """The error for something that is not a port number names the option."""
    for bad in ("x", "70000"):
        done = subprocess.run(
            [sys.executable, "-m", "lenscast", "--port", bad], capture_output=True, text=True
        )
        assert done.returncode == 2
        assert "--port" in done.stderr
        assert "Traceback" not in done.stderr


def test_signaling_alone_serves_too(tmp_path: Path) -> None:
    """`python -m signaling` prints the same line and stops as cleanly."""
    with subprocess.Popen(
        [sys.executable, "-m", "signaling", "--json", "--no-open", *FREE_PORTS],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    ) as process:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        health = f"http://127.0.0.1:{said['local_port']}/healthz"
        with urllib.request.urlopen(health, timeout=30) as answer:
            assert json.load(answer)["status"] == "ok"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_phone_reaches_the_sender_page_by_https(tmp_path: Path) -> None:
    """If the local CA is trusted, the phone's link works by address."""
    with serving(tmp_path) as (_process, said):
        context = ssl.create_default_context(cafile=str(tmp_path / "lenscast" / "ca.pem"))
        with urllib.request.urlopen(said["sender"], context=context, timeout=30) as answer:
            assert b"<title>" in answer.read()


def test_no_key_is_logged_at_any_level(tmp_path: Path) -> None:
    """The debug log of a start and a visit holds no key."""
    file = tmp_path / "c.yaml"
    file.write_text("log: {level: debug}\n")
    with serving(tmp_path, "--config", str(file)) as (process, said):
        # A query that somebody pasted is not logged either.
        visited = said["receiver"].replace("#", "?pasted=hush#")
        with urllib.request.urlopen(visited, timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        _out, err = process.communicate(timeout=30)
        for link in (said["receiver"], said["sender"]):
            assert str(read_link(link).key) not in err
        assert "/receiver" in err
        assert "hush" not in err


def test_coturn_writes_its_files_and_prints_three_lines(tmp_path: Path) -> None:
    """`lenscast coturn DIR` writes the configuration; a second run overwrites nothing."""
    folder = tmp_path / "coturn"
    done = subprocess.run(
        [sys.executable, "-m", "lenscast", "coturn", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 3
    file = tmp_path / "c.yaml"
    file.write_text(done.stdout)
    with serving(tmp_path, "--config", str(file)) as (_process, said):
        assert said["turn"] == "coturn"
    before = (folder / "turnserver.conf").read_text()
    assert str(folder) in failing(tmp_path, "coturn", str(folder))
    assert (folder / "turnserver.conf").read_text() == before
