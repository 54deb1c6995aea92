"""Short-lived TURN credentials, as the TURN REST scheme makes them.

Owns the scheme (draft-uberti-behave-turn-rest-00), which coturn calls `use-auth-secret`: anyone who
has the shared secret can make credentials, and the relay can check them without having seen them
before. Reads no clock.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """What a client needs for a TURN allocation. `expires` is Unix time in whole seconds."""

    username: str
    password: str = field(repr=False)
    expires: int


def ephemeral(secret: bytes | str, peer_id: str, now: float, lifetime: float) -> Credentials:
    """Make credentials for one peer, which the relay accepts until they expire.

    Parameters
    ----------
    secret: the secret that this server shares with the relay; text is encoded as UTF-8.
    peer_id: the peer. The relay applies its quotas to this name.
    now: Unix time in seconds.
    lifetime: how long the credentials are valid, in seconds.

    Raises
    ------
    ValueError: the secret or the peer's id is empty, or the lifetime is not above 0.
    """
    if not secret:
        raise ValueError("The TURN secret is empty: anybody could make credentials.")
    if not peer_id:
        raise ValueError("TURN credentials need a peer's id.")
    if lifetime <= 0:
        raise ValueError("TURN credentials must last longer than 0 s.")
    expires = int(now + lifetime)
    username = f"{expires}:{peer_id}"
    return Credentials(username, password(secret, username), expires)


def password(secret: bytes | str, username: str) -> str:
    """Return the password for a user name under a secret."""
    key = secret.encode() if isinstance(secret, str) else secret
    # The scheme requires SHA-1, which is still safe in an HMAC (RFC 6194 3.3).
    digest = hmac.new(key, username.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")
