"""What the server signs and later recognizes: resume tokens and versions of documents.

Nothing of it is stored. Whoever has the secret can check it, so it still holds after a restart.
"""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

from signaling.room.messages import DocumentVersion

_TOKEN_PARTS = 6


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a resume token says: which peer its owner was.

    Attributes
    ----------
    peer_id: the peer.
    role: the role that it was given when it came, which may differ from the one it asked for.
    since: when it came, in milliseconds of Unix time.
    """

    peer_id: str
    role: str
    since: int


class Seals:
    """Makes and checks what one server signs.

    Parameters
    ----------
    secret: the server's secret; whoever holds it can come back as any peer.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def renew(self, secret: bytes) -> None:
        """Take another secret: nothing that was signed before is recognized any more."""
        self._secret = secret

    def token(self, ticket: Ticket, room_type: str, room: str, asked: str) -> str:
        """The resume token of one peer: `ID.ROOM.ASKED.ROLE.SINCE.MAC`.

        Parameters
        ----------
        asked: the role that its link asks for. No part may hold a full stop.
        """
        parts = (ticket.peer_id, room, asked, ticket.role, str(ticket.since))
        return ".".join((*parts, self._mac("resume", room_type, *parts)))

    def read_token(self, token: str, room_type: str, room: str, asked: str) -> Ticket | None:
        """What a token says, if this server made it for this room and link; else None.

        Compared in constant time.
        """
        parts = token.split(".")
        if len(parts) != _TOKEN_PARTS or not re.fullmatch("[0-9]{1,15}", parts[4]):
            return None
        ticket = Ticket(parts[0], parts[3], int(parts[4]))
        made = self.token(ticket, room_type, room, asked)
        genuine = ticket.peer_id and hmac.compare_digest(_bytes(made), _bytes(token))
        return ticket if genuine else None

    def seal(self, room_type: str, room: str, document: DocumentVersion, maker: str = "") -> str:
        """The seal of one version of a document in one room: `MAKER.MAC`.

        Parameters
        ----------
        maker: tells the versions that one process made from those of others.
        """
        what = [document.name, document.version, document.value, document.by, document.at]
        text = json.dumps(_canonical(what), sort_keys=True, separators=(",", ":"))
        return f"{maker}.{self._mac('document', room_type, room, maker, text)}"

    def is_sealed(self, room_type: str, room: str, document: DocumentVersion) -> bool:
        """Whether a version of a document bears the seal of this server."""
        made = self.seal(room_type, room, document, maker_of(document))
        return hmac.compare_digest(_bytes(made), _bytes(document.seal or ""))

    def mark(self, room: str, source: str) -> str:
        """What stands for where a peer came from, without telling it."""
        return self._mac("mark", room, source)[:16]

    def _mac(self, *parts: str) -> str:
        # The first part tells the uses apart, and all of them from the keys of links, which have
        # the same secret. NUL cannot stand in a room, a role or JSON text.
        digest = hmac.new(self._secret, _bytes("\0".join(parts)), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def maker_of(document: DocumentVersion) -> str:
    """Who made a version, as its seal says; to be believed once the seal is found genuine."""
    return (document.seal or "").partition(".")[0]


def _canonical(value: Any) -> Any:
    """The same value for numbers that JavaScript writes differently, such as 1 for 1.0 (ECMA-262,
    6.1.6.1.20)."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and float(value).is_integer():
        return int(float(value))
    if isinstance(value, dict):
        return {name: _canonical(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(inner) for inner in value]
    return value


def _bytes(text: str) -> bytes:
    # JSON may hold lone surrogates, which have no UTF-8.
    return text.encode("utf-8", "surrogatepass")
