"""POST /api/rooms: makes a room and answers with its links.

For programs on this computer, and for whoever shows the key of somebody who leads a room.
"""

import json
from collections.abc import Callable
from typing import Any

from tornado.routing import Rule
from tornado.web import RequestHandler, url

from signaling.metrics import Metrics
from signaling.room.refusal import Code, Refusal
from signaling.transport.guard import Guard
from signaling.web.hosts import is_local

MakeRoom = Callable[[str | None], dict[str, Any]]
"""Makes a room of the kind with this name, or of the usual kind; gives its code and links. Raises
`Refusal`."""

Leads = Callable[[str, str], bool]
"""Whether (room, key) are those of somebody who leads a room."""

_STATUS = {
    Code.SERVER_FULL: 503,
    Code.BAD_KEY: 403,
    Code.TOO_MANY_ATTEMPTS: 429,
}
"""What each refusal is in HTTP; 400 for the others."""


def routes(
    make_room: MakeRoom, leads: Leads, guard: Guard, metrics: Metrics, now: Callable[[], float]
) -> list[Rule]:
    """The paths of this interface.

    Parameters
    ----------
    guard: counts wrong keys.
    metrics: counts what is refused.
    now: seconds of a clock that never jumps.
    """
    arguments = {
        "make_room": make_room,
        "leads": leads,
        "guard": guard,
        "metrics": metrics,
        "now": now,
    }
    return [url("/api/rooms", RoomsHandler, arguments)]


class RoomsHandler(RequestHandler):
    """POST /api/rooms with {"type": KIND}; the kind may be left out for a camera room."""

    def initialize(
        self,
        make_room: MakeRoom,
        leads: Leads,
        guard: Guard,
        metrics: Metrics,
        now: Callable[[], float],
    ) -> None:
        """Tornado's constructor: what the routing table gives."""
        self._make_room = make_room
        self._leads = leads
        self._guard = guard
        self._metrics = metrics
        self._now = now

    def post(self) -> None:
        """Answer 201 with {"room", "links"}, or {"code", "message"} for what is refused."""
        self.set_header("Cache-Control", "no-store")
        try:
            self._check_allowed()
            made = self._make_room(_kind(self.request.body))
        except Refusal as refusal:
            self._metrics.refused(refusal.code)
            self.set_status(_STATUS.get(refusal.code, 400))
            self.finish({"code": refusal.code, "message": refusal.sentence})
        else:
            self.set_status(201)
            self.finish(made)

    def _check_allowed(self) -> None:
        if is_local(self.request):
            return
        address = self.request.remote_ip or ""
        self._guard.check_key(address, self._now())
        scheme, _, bearer = self.request.headers.get("Authorization", "").partition(" ")
        room, _, key = bearer.strip().partition(".")
        if scheme.lower() == "bearer" and self._leads(room, key):
            return
        self._guard.wrong_key(address, self._now())
        raise Refusal(
            Code.BAD_KEY,
            "Rooms are made on the computer that runs lenscast, or with the key of a host: send it "
            'as "Authorization: Bearer ROOM.KEY".',
        )


def _kind(body: bytes) -> str | None:
    try:
        asked = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refusal(Code.BAD_JSON, "The body is not JSON.") from error
    kind = asked.get("type") if isinstance(asked, dict) else 0
    if kind is not None and not isinstance(kind, str):
        raise Refusal(Code.BAD_FIELD, 'The body must be an object with a text as its "type".')
    return kind
