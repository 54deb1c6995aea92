"""Short-lived TURN credentials, as the TURN REST scheme makes them.

Owns the scheme (draft-uberti-behave-turn-rest-00), which coturn calls `use-auth-secret`: whoever
holds the shared secret can make credentials, and the relay checks them without being told of
them. Imports nothing of the project and reads no clock.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """What a client needs for a TURN allocation. `expires` in whole seconds of Unix time."""

    username: str
    password: str = field(repr=False)
    expires: int


def ephemeral(secret: bytes | str, peer_id: str, now: float, lifetime: float) -> Credentials:
    """Make credentials for one peer that the relay takes until they expire.

    Parameters
    ----------
    secret: what this server shares with the relay; text counts as its UTF-8 bytes.
    peer_id: whom they are for. The relay counts its quotas by this name.
    now: the time, in seconds of Unix time.
    lifetime: for how long the credentials are good, in seconds.

    Raises
    ------
    ValueError: the secret or the peer's id is empty, or the lifetime is not above 0.
    """
    if not secret:
        raise ValueError("The TURN secret is empty: anybody could make credentials.")
    if not peer_id:
        raise ValueError("TURN credentials need the id of a peer.")
    if lifetime <= 0:
        raise ValueError("TURN credentials must last longer than 0 s.")
    expires = int(now + lifetime)
    username = f"{expires}:{peer_id}"
    return Credentials(username, password(secret, username), expires)


def password(secret: bytes | str, username: str) -> str:
    """The password that belongs to a user name under a secret."""
    key = secret.encode() if isinstance(secret, str) else secret
    # The scheme fixes SHA-1. In an HMAC it is sound (RFC 6194 section 3.3).
    digest = hmac.new(key, username.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")
