"""POST /api/rooms: makes a room and answers with its links. POST /api/qr: draws a QR code.

Rooms are for programs on this computer, and for whoever shows the key of somebody who leads a room.
"""

import asyncio
import functools
import json
from collections.abc import Callable
from typing import Any

from tornado.routing import Rule
from tornado.web import RequestHandler, url

from signaling.host import qr
from signaling.room.refusal import Code, Refusal
from signaling.transport.guard import Guard
from signaling.web.hosts import is_local
from signaling.web.pace import Pace

MakeRoom = Callable[[str | None], dict[str, Any]]
"""Makes a room of the kind with this name, or of the usual kind; gives its code and links. Raises
`Refusal`."""

Leads = Callable[[str, str], bool]
"""Whether (room, key) are those of somebody who leads a room."""

MAX_QR_TEXT = 256
QR_CODES = 100
"""How many codes are kept, each about 2 KiB."""
QR_CODES_PER_SECOND = 10
"""Of each address. Drawing one takes 2 to 10 ms."""

_STATUS = {
    Code.SERVER_FULL: 503,
    Code.BAD_KEY: 403,
    Code.TOO_MANY_ATTEMPTS: 429,
}
"""What each refusal is in HTTP; 400 for the others."""


def routes(
    make_room: MakeRoom,
    leads: Leads,
    guard: Guard,
    refused: Callable[[str], None],
    now: Callable[[], float],
) -> list[Rule]:
    """The paths of this interface.

    Parameters
    ----------
    guard: counts wrong keys.
    refused: counts a refusal by its code.
    now: seconds of a clock that never jumps.
    """
    arguments = {
        "make_room": make_room,
        "leads": leads,
        "guard": guard,
        "refused": refused,
        "now": now,
    }
    codes = {"pace": Pace(QR_CODES_PER_SECOND), "now": now}
    return [url("/api/rooms", RoomsHandler, arguments), url("/api/qr", CodeHandler, codes)]


class RoomsHandler(RequestHandler):
    """POST /api/rooms with {"type": KIND}; the kind may be left out for a camera room."""

    def initialize(
        self,
        make_room: MakeRoom,
        leads: Leads,
        guard: Guard,
        refused: Callable[[str], None],
        now: Callable[[], float],
    ) -> None:
        """Tornado's constructor: what the routing table gives."""
        self._make_room = make_room
        self._leads = leads
        self._guard = guard
        self._refused = refused
        self._now = now

    def post(self) -> None:
        """Answer 201 with {"room", "links"}, or {"code", "message"} for what is refused."""
        self.set_header("Cache-Control", "no-store")
        try:
            self._check_allowed()
            made = self._make_room(_kind(self.request.body))
        except Refusal as refusal:
            self._refused(refusal.code)
            self.set_status(_STATUS.get(refusal.code, 400))
            self.finish({"code": refusal.code, "message": refusal.sentence})
        else:
            self.set_status(201)
            self.finish(made)

    def _check_allowed(self) -> None:
        if is_local(self.request):
            return
        scheme, _, bearer = self.request.headers.get("Authorization", "").partition(" ")
        room, _, key = bearer.strip().partition(".")
        if scheme.lower() == "bearer" and self._leads(room, key):
            return
        address = self.request.remote_ip or ""
        self._guard.check_wrong_key(address, self._now())
        self._guard.wrong_key(address, self._now())
        raise Refusal(
            Code.BAD_KEY,
            "Rooms are made on the computer that runs lenscast, or with the key of a host: send it "
            'as "Authorization: Bearer ROOM.KEY".',
        )


class CodeHandler(RequestHandler):
    """POST /api/qr with a text as its body: its QR code.

    Not GET: the text is a link, and a key does not stand in an address.
    """

    def initialize(self, pace: Pace, now: Callable[[], float]) -> None:
        """Tornado's constructor: what the routing table gives."""
        self._pace = pace
        self._now = now

    async def post(self) -> None:
        """Answer with an SVG document; 400 for what is no short text, 429 for too much at once."""
        self.set_header("Cache-Control", "no-store")
        wait = self._pace.wait(self.request.remote_ip or "", self._now())
        if wait is None:
            self.set_status(429)
            return
        await asyncio.sleep(wait)
        try:
            text = self.request.body.decode()
        except UnicodeDecodeError:
            text = ""
        if not 0 < len(text) <= MAX_QR_TEXT:
            self.set_status(400)
            return
        try:
            code = _drawn(text)
        except ValueError:  # The library fails at some texts that are no links, such as 62 NULs.
            self.set_status(400)
            return
        self.set_header("Content-Type", "image/svg+xml")
        self.finish(code)


_drawn = functools.lru_cache(maxsize=QR_CODES)(qr.svg)


def _kind(body: bytes) -> str | None:
    try:
        asked = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refusal(Code.BAD_JSON, "The body is not JSON.") from error
    kind = asked.get("type") if isinstance(asked, dict) else 0
    if kind is not None and not isinstance(kind, str):
        raise Refusal(Code.BAD_FIELD, 'The body must be an object with a text as its "type".')
    return kind
