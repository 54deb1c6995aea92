"""turn.access: which peers have credentials, and which nonces are valid."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turn.access import Access

CLIENT = "udp 198.51.100.7 4000"


def access(unix_time: float = 1000.0) -> Access:
    """Credentials are valid for 60 s, nonces for 600 s."""
    return Access(60, 600, lambda: unix_time)


def test_a_peer_is_known_while_it_has_credentials() -> None:
    """A peer is known from the issue of its credentials until they are revoked, even after they
    expire.
    """
    gate = access()
    username = gate.issue("ann", "room", 1000).username.encode()
    assert gate.peer_of(username) == "ann"
    assert gate.peer_of(b"1060:bob") is None
    gate.revoke("ann")
    assert gate.peer_of(username) is None
    gate.revoke("never seen")


def test_credentials_expire() -> None:
    """Credentials are no longer valid when their lifetime is over."""
    issued = access().issue("ann", "room", 1000)
    assert issued.expires == 1060
    assert not access(1059.9).is_expired(issued.username.encode())
    assert access(1060).is_expired(issued.username.encode())


def test_secrets_are_of_one_process() -> None:
    """Each process makes other passwords and other nonces."""
    one, two = access(), access()
    assert one.issue("ann", "room", 1000).password != two.issue("ann", "room", 1000).password
    assert not two.is_fresh(one.nonce(CLIENT, 5), CLIENT, 5)


@pytest.mark.parametrize("name", [b"", b":", b"1060", b"x:ann", b"-5:ann", b"\xff:ann", b"1060:"])
def test_user_names_of_another_form(name: bytes) -> None:
    """A user name of another form belongs to nobody and counts as expired."""
    gate = access()
    gate.issue("ann", "room", 1000)
    assert gate.peer_of(name) is None
    assert gate.is_expired(name)


def test_a_nonce_is_for_one_client_and_some_time() -> None:
    """A nonce is valid for its lifetime, and only from the same transport, address and port."""
    gate = access()
    nonce = gate.nonce(CLIENT, 5.7)
    assert gate.is_fresh(nonce, CLIENT, 5.7)
    assert gate.is_fresh(nonce, CLIENT, 604.9)
    assert not gate.is_fresh(nonce, CLIENT, 605)
    for other in ("udp 198.51.100.7 4001", "udp 198.51.100.8 4000", "tcp 198.51.100.7 4000"):
        assert not gate.is_fresh(nonce, other, 6)


def test_a_nonce_cannot_be_made_to_last() -> None:
    """A nonce whose time was changed is not valid, nor is one from the future."""
    gate = access()
    old = gate.nonce(CLIENT, 5)
    younger = gate.nonce("other", 500)[:4] + old[4:]
    assert not gate.is_fresh(younger, CLIENT, 500)
    assert not gate.is_fresh(gate.nonce(CLIENT, 900), CLIENT, 500)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_made_up_nonces(nonce: bytes) -> None:
    """Invented nonces are not valid and raise no exception."""
    assert not access().is_fresh(nonce, CLIENT, 5)
