"""Resume tokens: with one a client comes back as the peer that it was, in a new process too.

Owns how they are made and checked. Pure: the secret comes in. Imports nothing of the project.
"""

import base64
import hashlib
import hmac


class ResumeTokens:
    """Makes and checks the resume tokens of one server.

    A token is `ID.ROOM.ROLE.MAC`: nothing is stored, so whoever has the secret can check it. It
    carries no time; for how long a peer may come back is the business of `rooms`.

    Parameters
    ----------
    secret: the server's secret; whoever holds it can come back as any peer.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, peer_id: str, room: str, role: str) -> str:
        """The token of one peer. None of the three may hold a full stop."""
        return f"{peer_id}.{room}.{role}.{self._mac(peer_id, room, role)}"

    def read(self, token: str, room: str, role: str) -> str | None:
        """The id of the peer that a token was made for, compared in constant time.

        None where the token was not made by this server for this room and role.
        """
        peer_id = token.partition(".")[0]
        made = self.make(peer_id, room, role)
        if not peer_id or not hmac.compare_digest(_bytes(made), _bytes(token)):
            return None
        return peer_id

    def _mac(self, *parts: str) -> str:
        # The first part keeps it apart from the keys of links, which have the same secret.
        text = "\0".join(("resume", *parts))
        digest = hmac.new(self._secret, _bytes(text), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    # JSON may hold lone surrogates, which have no UTF-8.
    return text.encode("utf-8", "surrogatepass")
