"""What it takes to enter a room: a kind of room, a role, and a key or a code."""

from collections.abc import Mapping, Sequence

from signaling.room import links
from signaling.room.departures import Departures
from signaling.room.links import Links
from signaling.room.messages import End, Register
from signaling.room.refusal import Code, Refusal
from signaling.room.room import Room
from signaling.room.room_type import Role, RoomType
from signaling.room.terms import ALWAYS, Terms, Unused


class Door:
    """Decides who may enter.

    Parameters
    ----------
    types: the kinds of rooms; the first is the one of clients that name none.
    keys: checks the keys of links; None where access is open to all.
    departures: which rooms were ended.
    """

    def __init__(
        self, types: Sequence[RoomType], keys: Links | None, departures: Departures
    ) -> None:
        self.types: Mapping[str, RoomType] = {kind.name: kind for kind in types}
        self._default = types[0]
        self._keys = keys
        self._departures = departures
        self.unused = Unused()

    def room_type(self, name: str | None) -> RoomType:
        """A kind of room by its name.

        Raises
        ------
        Refusal: with the code bad-field.
        """
        found = self._default if name is None else self.types.get(name)
        if found is None:
            known = ", ".join(self.types)
            raise Refusal(Code.BAD_FIELD, f"There is no such kind of room; known: {known}.")
        return found

    def role(self, room_type: RoomType, name: str) -> Role:
        """A role by its name.

        Raises
        ------
        Refusal: with the code wrong-role.
        """
        # Those with neither a key nor a page are given by others in the room, not asked for.
        asked = {
            role.name: role
            for role in room_type.roles.values()
            if role.keyed or role.name in room_type.pages.values()
        }
        found = asked.get(name)
        if found is None:
            known = ", ".join(asked)
            raise Refusal(Code.WRONG_ROLE, f"There is no such role; known: {known}.")
        return found

    def code(self, message: Register) -> str:
        """The room that a client asks for; where access is open it need not name one."""
        return message.room or (links.OPEN_ROOM if self._keys is None else "")

    def check(
        self,
        room: Room | None,
        room_type: RoomType,
        role: Role,
        code: str,
        key: str | None,
        *,
        known: bool,
        unix: float = 0,
    ) -> Terms:
        """Whether a client may enter; gives what its link is good for.

        Parameters
        ----------
        room: the room with this code, if there is one.
        known: the client has shown that it was in this room.
        unix: seconds of Unix time.

        Raises
        ------
        Refusal: with the codes bad-key, link-ended or no-room.
        """
        terms = ALWAYS
        if role.keyed:
            # A code that cannot be one gets the answer of a wrong key: nothing to learn from it.
            opened = self._terms(room_type, code, role, key) if links.valid_room(code) else None
            if opened is None:
                raise Refusal(
                    Code.BAD_KEY,
                    "This link does not open the room. Take a new one from where lenscast runs.",
                )
            terms = opened
            self.unused.check(terms, unix, known=known)
            there = True
        else:
            there = room is not None or known
        if (
            not there
            or self._departures.is_ended(code)
            or (room is not None and room.type is not room_type)
        ):
            raise Refusal(
                Code.NO_ROOM, "There is no room with this code now. Ask for its link again."
            )
        return terms

    def leads(self, code: str, key: str) -> bool:
        """Whether a key is that of a role which may end the room, of whatever kind it is. That of a
        link that ends is not."""
        return self._keys is not None and any(
            self._keys.opens(code, role.name, key, self.scope(kind))
            for kind in self.types.values()
            for role in kind.roles.values()
            if role.keyed and End.type in role.sends
        )

    def scope(self, room_type: RoomType) -> str:
        """What keeps the keys of one kind of room apart from those of the others."""
        return "" if room_type is self._default else room_type.name

    def _terms(self, room_type: RoomType, code: str, role: Role, key: str | None) -> Terms | None:
        if self._keys is None:
            return ALWAYS
        return self._keys.terms(code, role.name, key or "", self.scope(room_type))
