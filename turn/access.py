"""Who may use the embedded relay: credentials of this process, and nonces.

Owns the secret, and which peers have credentials and for which room; checks both.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable

from turn.credentials import Credentials, ephemeral, password

REALM = "lenscast"

_USERNAME = re.compile(r"([0-9]{1,15}):(.{1,256})", re.DOTALL)
# Short, so that the answer with a nonce is at most twice as large as an Allocate request.
_STAMP_BYTES = 3
_STAMPS = 1 << (8 * _STAMP_BYTES)
_MAC_BYTES = 6


class Access:
    """Issues credentials and checks them.

    Parameters
    ----------
    lifetime: seconds during which credentials are valid for a new allocation.
    nonce_lifetime: seconds during which a nonce is valid.
    clock: returns Unix time, which decides when credentials expire.
    """

    def __init__(
        self, lifetime: float, nonce_lifetime: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._lifetime = lifetime
        self._nonce_lifetime = nonce_lifetime
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._nonce_secret = secrets.token_bytes(32)
        self._rooms: dict[str, str] = {}

    def issue(self, peer_id: str, room: str, now: float) -> Credentials:
        """Make credentials for one peer of a room; `now` is Unix time in seconds."""
        credentials = ephemeral(self._secret, peer_id, now, self._lifetime)
        self._rooms[peer_id] = room
        return credentials

    def revoke(self, peer_id: str) -> None:
        """Refuse a peer from now on, until it gets new credentials."""
        self._rooms.pop(peer_id, None)

    def room_of(self, peer_id: str) -> str | None:
        """Return the room for which a peer has credentials; None if it has none."""
        return self._rooms.get(peer_id)

    def peer_of(self, username: bytes) -> str | None:
        """Return the peer that a user name names; None if that peer has no credentials.

        Only the integrity of the request proves that the user name was really issued.
        """
        parts = _parts(username)
        return parts[1] if parts and parts[1] in self._rooms else None

    def is_expired(self, username: bytes) -> bool:
        """Whether a user name has expired."""
        parts = _parts(username)
        return parts is None or parts[0] <= self._clock()

    def key(self, username: bytes) -> bytes:
        """Return the key of the long-term credential mechanism (RFC 8489 9.2.2)."""
        name = username.decode()
        text = f"{name}:{REALM}:{password(self._secret, name)}"
        # The mechanism requires MD5, but only to derive a key; it proves nothing.
        return hashlib.md5(text.encode(), usedforsecurity=False).digest()

    def nonce(self, client: str, now: float) -> bytes:
        """Make a nonce for one client, without remembering it.

        Parameters
        ----------
        client: the client's transport, address and port.
        now: seconds of any clock that only goes forward.
        """
        return self._nonce(client, int(now))

    def is_fresh(self, nonce: bytes, client: str, now: float) -> bool:
        """Whether a nonce was made for this client, and recently enough."""
        try:
            stamp = base64.b64decode(nonce)[:_STAMP_BYTES]
        except ValueError:
            return False
        made = int.from_bytes(stamp, "big")
        if not hmac.compare_digest(nonce, self._nonce(client, made)):
            return False
        return (int(now) - made) % _STAMPS < self._nonce_lifetime

    def _nonce(self, client: str, made: int) -> bytes:
        # The clock may start anywhere, and the stamp begins again after 194 days.
        stamp = (made % _STAMPS).to_bytes(_STAMP_BYTES, "big")
        mac = hmac.digest(self._nonce_secret, stamp + client.encode(), "sha256")[:_MAC_BYTES]
        return base64.b64encode(stamp + mac)


def _parts(username: bytes) -> tuple[int, str] | None:
    try:
        match = _USERNAME.fullmatch(username.decode())
    except UnicodeDecodeError:
        return None
    return (int(match[1]), match[2]) if match else None
