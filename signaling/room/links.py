"""Links are capabilities: a key is an HMAC of (room, role), so links need no storage.

Owns keys, room codes and the fragment of a link (`#ROOM.KEY`). Pure: the secret comes in.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from signaling.room import terms as link_terms
from signaling.room.terms import ALWAYS, Terms

OPEN_ROOM = "default"
"""The room of those who name none, with `access: open`."""

_ROOM = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
# No i, l, o, 0, 1: a code may be read aloud or typed.
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
_KEY_BYTES = 16
_LETTERS = "abcdefghjkmnpqrstuvwxyz"
_GROUPS = (3, 4, 3)


def new_code() -> str:
    """The code of a new room, as in `abc-defg-hij`, which nobody can foresee: ten of 23 letters, 45
    bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(size)) for size in _GROUPS)


def valid_room(code: str) -> bool:
    """Whether `code` may name a room: 1 to 32 of a-z, 0-9 and -, not starting with -."""
    return _ROOM.fullmatch(code) is not None


def fragment(room: str, key: str | None) -> str:
    """What stands after the # of a link; without a key where access is open."""
    if key is not None:
        return f"{room}.{key}"
    return "" if room == OPEN_ROOM else room


def link(origin: str, path: str, room: str, key: str | None) -> str:
    """The link of a page of a room.

    Parameters
    ----------
    origin: scheme, host and port; "" for a link within them.
    path: of the page, with its slash.
    key: None where no key is needed.
    """
    behind = fragment(room, key)
    return f"{origin}{path}{'#' if behind else ''}{behind}"


class Links:
    """Makes and checks the keys of one server.

    Parameters
    ----------
    secret: the server's secret; whoever holds it can open every room.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def renew(self, secret: bytes) -> None:
        """Take another secret: no key from before opens anything any more."""
        self._secret = secret

    def key(self, room: str, role: str, scope: str = "", terms: Terms = ALWAYS) -> str:
        """The 128-bit key, 22 characters of base64url, that opens `room` in `role`. Where the link
        ends, its terms follow after a full stop.

        Parameters
        ----------
        scope: keeps the keys of one kind of room apart from those of another.
        terms: until when the key is good.
        """
        # Another first part, so that no key with terms is one without.
        first = ("key with terms", terms.text) if terms.text else ("key",)
        digest = self._digest(*first, room, role, *([scope] if scope else []))[:_KEY_BYTES]
        key = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return f"{key}.{terms.text}" if terms.text else key

    def opens(self, room: str, role: str, key: str, scope: str = "") -> bool:
        """Whether `key`, one without an end, opens `room` in `role`, compared in constant time."""
        return self.terms(room, role, key, scope) == ALWAYS

    def terms(self, room: str, role: str, key: str, scope: str = "") -> Terms | None:
        """What a key is good for; None where it does not open `room` in `role`.

        Compared in constant time. Whether its time is up, or it was used, is not looked at.
        """
        text = key.partition(".")[2]
        terms = link_terms.read(text) if text else ALWAYS
        if terms is None:
            return None
        right = self.key(room, role, scope, terms)
        return (
            terms if hmac.compare_digest(right.encode(), key.encode("utf-8", "replace")) else None
        )

    def home_room(self) -> str:
        """The room of this computer: the same after every restart."""
        return "".join(_READABLE[b % len(_READABLE)] for b in self._digest("home room")[:6])

    def _digest(self, *parts: str) -> bytes:
        # NUL cannot stand in a room code or a role, so no two lists of parts read the same.
        return hmac.new(self._secret, "\0".join(parts).encode(), hashlib.sha256).digest()


@dataclass(frozen=True)
class Link:
    """A link taken apart, as a peer in Python needs it.

    Attributes
    ----------
    origin: scheme, host and port, as in `https://192.168.1.20:8443`.
    role: the path of the link, without its slash.
    room, key: from the fragment; None where the link does not say.
    """

    origin: str
    role: str
    room: str | None
    key: str | None = field(repr=False)


def read_link(url: str) -> Link:
    """Take the link of a page of a room apart.

    Raises
    ------
    ValueError: the link is not one of http or https with a host.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("A link starts with http:// or https:// and names a host.")
    room, _, key = parts.fragment.partition(".")
    return Link(
        f"{parts.scheme}://{parts.netloc}", parts.path.strip("/"), room or None, key or None
    )
