"""What an operator may ask of a running server: requests and answers, as plain dictionaries.

`control_socket` carries them; the commands of `lenscast` ask.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from signaling.room.refusal import Refusal
from signaling.room.room import Peer
from signaling.room.room_type import RoomType
from signaling.room.terms import ALWAYS, Terms
from signaling.server import SignalingServer

OPEN_ACCESS = "With `access: open` links hold no key, so they cannot end."


class Operations:
    """Answers the requests of an operator.

    Parameters
    ----------
    server: a running server.
    renewed: called when its links have changed.
    """

    def __init__(self, server: SignalingServer, renewed: Callable[[], None]) -> None:
        self._server = server
        self._renewed = renewed
        self._known = {
            "links": self._list,
            "link": self._make_link,
            "room": self._make_room,
            "end": self._end,
            "remove": self._remove,
            "renew-keys": self._renew_keys,
            "renew-authority": self._renew_authority,
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked for.

        Raises
        ------
        ValueError: it cannot be done; a sentence for a person.
        SetupError: a file cannot be read or written.
        """
        asked = self._known.get(str(request.get("do")))
        if asked is None:
            raise ValueError("This lenscast is of another version. Restart it, then try again.")
        return asked(request)

    def _list(self, _request: dict[str, Any]) -> dict[str, Any]:
        server = self._server
        people = {room.code: list(room.peers.values()) for room in server.rooms.all()}
        return {
            "rooms": [
                {
                    "room": code,
                    "type": kind.name,
                    "home": code == server.room,
                    "links": server.links.every_link(code, kind),
                    "peers": [self._describe(peer) for peer in people.get(code, [])],
                }
                for code, kind in server.known_rooms().items()
            ]
        }

    def _describe(self, peer: Peer) -> dict[str, Any]:
        since = datetime.fromtimestamp(peer.since / 1000, UTC)
        return {
            "peer": peer.id,
            "role": peer.role.name,
            "name": peer.name,
            "address": self._server.hub.address(peer.id),
            "away": peer.away,
            "since": since.isoformat(timespec="seconds"),
        }

    def _make_link(self, request: dict[str, Any]) -> dict[str, Any]:
        """A link with terms, for each role of a room or for one."""
        code = str(request.get("room") or self._server.room)
        kind = self._kind_of(code)
        roles = {role: path for path, role in kind.pages.items() if kind.roles[role].keyed}
        wanted = request.get("role")
        if wanted is not None and wanted not in roles:
            raise ValueError(
                f"There is no link for the role {wanted} here; known: {', '.join(roles)}."
            )
        if not self._server.links.keyed:
            raise ValueError(OPEN_ACCESS)
        origin = self._server.public_origin()
        made = {
            role: self._server.links.link(origin, role, code, kind, self._terms(request))
            for role in ([wanted] if wanted else roles)
        }
        return {"room": code, "links": made}

    def _terms(self, request: dict[str, Any]) -> Terms:
        seconds, once = request.get("seconds"), request.get("once")
        until = None if seconds is None else round(time.time() + float(seconds))
        if until is None and not once:
            return ALWAYS
        # Each link has a name of its own: they are used one by one.
        return Terms(until, self._server.rooms.name_link() if once else None)

    def _kind_of(self, code: str) -> RoomType:
        kind = self._server.known_rooms().get(code)
        if kind is None:
            raise ValueError(f"There is no room {code} here. `lenscast links` lists the rooms.")
        return kind

    def _make_room(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._server.new_room(str(request.get("type") or "camera"))
        except Refusal as refusal:
            raise ValueError(refusal.sentence) from refusal

    def _end(self, request: dict[str, Any]) -> dict[str, Any]:
        code = str(request.get("room"))
        self._kind_of(code)
        people = next(
            (len(room.peers) for room in self._server.rooms.all() if room.code == code), 0
        )
        home = code == self._server.room
        self._server.end_room(code)
        return {"room": code, "peers": people, "home": home}

    def _remove(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = str(request.get("peer"))
        everyone = [peer for room in self._server.rooms.all() for peer in room.peers.values()]
        found = [peer for peer in everyone if peer.id == wanted]
        if not found:
            raise ValueError(
                f"There is no peer {wanted} here. `lenscast links` lists the rooms and who is in "
                "them."
            )
        (peer,) = found
        gone = {**self._describe(peer), "room": peer.room.code}
        self._server.remove_peer(peer.id)
        return gone

    def _renew_keys(self, request: dict[str, Any]) -> dict[str, Any]:
        people = self._server.hub.counts().peers
        if not self._server.renew_keys():
            raise ValueError(OPEN_ACCESS)
        self._renewed()
        return {**self._list(request), "put_out": people}

    def _renew_authority(self, _request: dict[str, Any]) -> dict[str, Any]:
        fingerprint = self._server.renew_authority()
        if fingerprint is None:
            raise ValueError(
                "The running server does not use a certificate authority of its own (server.tls in "
                "its configuration)."
            )
        return {"fingerprint": fingerprint}
