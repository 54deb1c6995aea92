"""turn.servers: what each kind of TURN gives to peers."""

import time

import pytest

from turn.credentials import ephemeral
from turn.servers import Coturn, IceServer, NoTurn, StaticServers, TurnServers

URLS = ["turn:192.0.2.7:3478?transport=udp", "turn:192.0.2.7:3478?transport=tcp"]
STATIC: list[IceServer] = [
    {"urls": "stun:stun.example.org"},
    {"urls": ["turn:turn.example.org"], "username": "ann", "credential": "hush"},
]

KINDS: list[NoTurn | StaticServers | Coturn] = [
    NoTurn(),
    StaticServers(STATIC),
    Coturn(URLS, "top-secret", 3600),
]


def test_none_issues_nothing() -> None:
    """Without TURN, a peer gets no servers, and the grant never expires."""
    grant = NoTurn().issue("p1", "room", "laptop.local", 1000)
    assert grant.ice_servers == ()
    assert grant.expires is None


def test_static_issues_the_list() -> None:
    """Everybody gets the fixed list unchanged, and the grant never expires."""
    grant = StaticServers(STATIC).issue("p1", "room", "laptop.local", 1000)
    assert list(grant.ice_servers) == STATIC
    assert grant.expires is None


def test_static_list_cannot_be_changed_through_a_grant() -> None:
    """Changing one grant does not change the next one."""
    servers = StaticServers(STATIC)
    servers.issue("p1", "room", "laptop.local", 1000).ice_servers[1]["urls"].append(
        "turn:evil.example"
    )
    assert list(servers.issue("p2", "room", "laptop.local", 1000).ice_servers) == STATIC


def test_coturn_issues_credentials_for_the_peer() -> None:
    """coturn's URLs come with credentials for this peer, which expire after the lifetime."""
    grant = Coturn(URLS, "top-secret", 3600).issue("p1", "room", "laptop.local", 1000.5)
    credentials = ephemeral("top-secret", "p1", 1000.5, 3600)
    assert grant.ice_servers == (
        {"urls": URLS, "username": "4600:p1", "credential": credentials.password},
    )
    assert grant.expires == 4600


def test_coturn_credentials_are_renewed() -> None:
    """Each grant is valid for the whole lifetime from the time of its issue."""
    servers = Coturn(URLS, "top-secret", 60)
    assert [servers.issue("p", "room", "h", now).expires for now in (0, 30)] == [60, 90]


@pytest.mark.parametrize("servers", KINDS, ids=lambda kind: type(kind).__name__)
def test_one_interface(servers: TurnServers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind issues and revokes without reading a clock."""

    def no_clock() -> float:
        raise AssertionError("a clock was read")

    monkeypatch.setattr(time, "time", no_clock)
    monkeypatch.setattr(time, "monotonic", no_clock)
    assert servers.issue("p1", "room", "h", 1000) == servers.issue("p1", "room", "h", 1000)
    servers.revoke("p1")
    servers.revoke("never seen")


def test_described_for_a_person() -> None:
    """Each kind describes itself in one line that starts with TURN and holds no secret."""
    lines = [kind.describe() for kind in KINDS]
    assert lines == [
        "TURN: none. Phone and laptop must reach each other directly.",
        "TURN: 2 ICE servers from the configuration.",
        "TURN: coturn at turn:192.0.2.7:3478?transport=udp, turn:192.0.2.7:3478?transport=tcp.",
    ]


def test_secrets_are_not_shown() -> None:
    """The text form of servers and grants holds no secret, user name or credential."""
    password = ephemeral("top-secret", "p1", 0, 3600).password
    for kind in KINDS:
        shown = repr(kind) + repr(kind.issue("p1", "room", "h", 0)) + kind.describe()
        for hidden in ("top-secret", "hush", "ann", password):
            assert hidden not in shown
