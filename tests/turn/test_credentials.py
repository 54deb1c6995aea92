"""turn.credentials: the TURN REST scheme."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turn.credentials import ephemeral


def test_known_answer() -> None:
    """The password is base64(HMAC-SHA1(secret, username)), as openssl computes it."""
    # printf %s 1700003600:p1 | openssl dgst -sha1 -hmac north -binary | base64
    credentials = ephemeral("north", "p1", 1_700_000_000.0, 3600)
    assert credentials.username == "1700003600:p1"
    assert credentials.expires == 1_700_003_600
    assert credentials.password == "4EEMVinF9VQKZF50YH25G6+f6lw="


@given(
    secret=st.text(min_size=1),
    peer_id=st.text(min_size=1, alphabet="abcdefghijklmnopqrstuvwxyz0123456789-:"),
    now=st.floats(0, 4e9),
    lifetime=st.floats(60, 86400),
)
def test_shape(secret: str, peer_id: str, now: float, lifetime: float) -> None:
    """The user name is the expiry in whole seconds, a colon and the peer's id."""
    credentials = ephemeral(secret, peer_id, now, lifetime)
    expiry, _, peer = credentials.username.partition(":")
    assert peer == peer_id
    assert int(expiry) == credentials.expires
    assert now + lifetime - 1 < credentials.expires <= now + lifetime
    expected = hmac.digest(secret.encode(), credentials.username.encode(), hashlib.sha1)
    assert base64.b64decode(credentials.password, validate=True) == expected


def test_secret_as_bytes_or_text() -> None:
    """A secret given as text counts as its UTF-8 bytes."""
    assert ephemeral("schlüssel", "p", 0, 60) == ephemeral("schlüssel".encode(), "p", 0, 60)


def test_password_is_not_shown() -> None:
    """The text form of credentials does not hold the password."""
    credentials = ephemeral("north", "p1", 0, 60)
    assert credentials.password not in repr(credentials)
    assert credentials.password not in str(credentials)


@pytest.mark.parametrize(
    ("secret", "peer_id", "lifetime"), [("", "p", 60), (b"", "p", 60), ("s", "", 60), ("s", "p", 0)]
)
def test_refuses_what_makes_no_sense(secret: bytes | str, peer_id: str, lifetime: float) -> None:
    """An empty secret, an empty peer id and a lifetime of 0 are refused."""
    with pytest.raises(ValueError, match="TURN"):
        ephemeral(secret, peer_id, 0, lifetime)
