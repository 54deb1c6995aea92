"""One-time addresses, and who may open them."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from signaling.config import Config
from signaling.host import loopback
from signaling.web import opening
from signaling.web.opening import Openings
from tests.running_server import running_server
from tests.signaling.transport.raw import ask, request

VISIT = """
import os, socket, sys
os.setuid(int(sys.argv[4]))
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family) as made:
    made.connect((sys.argv[1], int(sys.argv[2])))
    made.sendall(sys.argv[3].encode())
    print(made.makefile().read())
"""


def visit(port: int, path: str, *, user: int, address: str = "127.0.0.1") -> str:
    """Open a path from a process of another user."""
    done = subprocess.run(
        [sys.executable, "-c", VISIT, address, str(port), request(path).decode(), str(user)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


async def test_an_address_leads_to_the_link_once(tmp_path: Path) -> None:
    """The first visit is sent on to the page with its key; the second is told why not."""
    async with running_server(Config(), tmp_path) as server:
        path = server.opening("receiver")
        _, _, fragment = server.receiver_link.partition("#")
        assert fragment not in path
        code, headers, _body = await ask(server.local_port, request(path))
        assert (code, headers["location"]) == (302, f"/receiver#{fragment}")
        assert headers["cache-control"] == "no-store"
        code, headers, body = await ask(server.local_port, request(path))
        assert code == 403
        assert "location" not in headers
        assert b"Open the link that lenscast printed." in body


@pytest.mark.skipif(
    not Path("/proc/net/tcp").exists() or os.geteuid() != 0, reason="needs root and Linux"
)
@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
async def test_another_user_who_reads_the_address_gets_nothing(
    tmp_path: Path, address: str
) -> None:
    """A user who finds it in the process list learns no key, and does not use it up."""
    async with running_server(Config(), tmp_path) as server:
        path = server.opening("receiver")
        # The server is in this process, so the visitor must not block its event loop.
        said = await asyncio.to_thread(visit, server.local_port, path, user=65534, address=address)
        assert " 403 " in said
        assert "Location" not in said
        code, headers, _body = await ask(server.local_port, request(path))
        assert code == 302
        assert headers["location"].startswith("/receiver#")


@pytest.mark.parametrize("header", ["X-Forwarded-For: 127.0.0.1", "Via: 1.1 proxy"])
async def test_a_proxy_gets_nothing(tmp_path: Path, header: str) -> None:
    """What a proxy passes on may come from anybody."""
    async with running_server(Config(), tmp_path) as server:
        code, _headers, _body = await ask(
            server.local_port, request(server.opening("receiver"), header)
        )
        assert code == 403


def test_an_address_is_good_for_some_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody opened leads nowhere later."""
    openings = Openings()
    token = openings.path("/receiver#a.b").rpartition("/")[2]
    assert openings.knows(token)
    assert not openings.knows("other")
    monkeypatch.setattr(opening, "GOOD_SECONDS", -1.0)
    assert not openings.knows(openings.path("/receiver#a.b").rpartition("/")[2])
    assert openings.take(token) == "/receiver#a.b"
    assert not openings.knows(token)


def test_where_the_system_does_not_tell_everybody_here_may_open_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the kernel's tables, the address is still good only once."""
    monkeypatch.setattr(loopback, "_TABLES", (Path("/nowhere"),))
    assert loopback.is_this_user(("127.0.0.1", 1), ("127.0.0.1", 2))


def test_a_connection_that_is_in_no_table_is_not_this_user_s() -> None:
    """Where the kernel tells, it has to know the connection."""
    if not Path("/proc/net/tcp").exists():
        pytest.skip("this system has no such table")
    assert not loopback.is_this_user(("127.0.0.1", 1), ("127.0.0.1", 2))
