"""Roles that change while peers are in a room: promoted, silenced, let in, put out, inherited.

What was changed is itself a document of the room, named `roles`, which only the server writes. So
it is sealed like the others, and after a restart of the server any member hands it back.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from signaling.room.deliveries import Delivery, Dismissal, Outcome
from signaling.room.messages import (
    DocumentVersion,
    PeerDisconnected,
    RoleChange,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.room import Peer, Room, each, offers
from signaling.room.room_type import Document, Json, Role, RoomType

ROLES = "roles"
"""The document of the changes: `changed` ({peer: role}), `out` (pairs of peer and mark: who was put
out), and `led`: whether somebody ever had the role that an heir would get."""

MAX_CHANGES = 64
"""How many changed roles, and how many peers that were put out, one room remembers."""


def _nobody_writes(_old: Json, _new: Json, _at: float) -> Json:
    raise Refusal(Code.WRONG_ROLE, "Only the server changes this document.")


def documents_of(room_type: RoomType) -> Mapping[str, Document]:
    """The document of the changes, for a kind of room in which roles can change."""
    if not room_type.changes_roles:
        return {}
    return {ROLES: Document({"changed": {}, "out": [], "led": False}, frozenset(), _nobody_writes)}


def role_of(room: Room, peer_id: str, given: str) -> str:
    """The role that a peer has by now, which came with another one."""
    role: str = _facts(room)["changed"].get(peer_id, given)
    return role if role in room.type.roles else given


def is_out(room: Room, peer_id: str | None) -> bool:
    """Whether this very peer was put out."""
    return any(out == peer_id for out, _mark in _facts(room)["out"])


def given_to(room: Room, asked: str, mark: str | None) -> str:
    """The role that a newcomer is given: the one it asks for, or the one in which it waits.

    Parameters
    ----------
    mark: stands for where it comes from, by which link.

    Raises
    ------
    Refusal: with the code removed. Somebody was put out who came from there by this link, and such
        a room has no role in which to wait.
    """
    waits = room.type.knocks.get(asked)
    comes_back = mark is not None and mark in _marks(room)
    if waits is None:
        if comes_back:
            raise removed()
        return asked
    # After a restart of the server nobody may have told it yet that the room is locked.
    unknown = room.inherited and not room.type.documents.keys() <= room.documents.restored
    return waits if comes_back or unknown or room.type.locked(room.documents.values) else asked


def removed() -> Refusal:
    """What somebody hears who was put out and comes back."""
    return Refusal(Code.REMOVED, "You were removed from this room.")


def check_space(room: Room, role: Role, *, comes: bool) -> None:
    """Raise a `Refusal` with the code room-full where no more peers of a role fit.

    Parameters
    ----------
    comes: the peer is not in the room yet.
    """
    outside = frozenset(room.type.knocks.values())
    inside = sum(peer.role.name not in outside for peer in room.peers.values())
    if comes and role.name not in outside and inside >= room.type.seats:
        raise Refusal(Code.ROOM_FULL, f"This room is full: it holds {room.type.seats} peers.")
    there = len(room.with_role(role.name))
    if there >= role.seats:
        raise Refusal(
            Code.ROOM_FULL, f"This room is full: it holds {there} of the role {role.name}."
        )


def ask(room: Room, peer: Peer, message: RoleChange, at: float) -> list[Outcome]:
    """A peer asks for a change of role, of another one or its own.

    Raises
    ------
    Refusal: with the codes unknown-target, wrong-role or room-full; nothing has changed.
    """
    target = peer if message.to == peer.id else room.named(peer, message.to or "")
    if message.role not in peer.role.changes.get(target.role.name, frozenset()):
        what = f"make a {target.role.name} {message.role}" if message.role else "remove this peer"
        raise Refusal(Code.WRONG_ROLE, f"A {peer.role.name} does not {what}.")
    if message.role is None:
        return put_out(room, target, peer.id, at)
    new = room.type.roles[message.role]
    check_space(room, new, comes=False)
    return [*change(room, target, new, peer.id), *_remember(room, at, target, message.role)]


def put_out(room: Room, target: Peer, by: str | None, at: float) -> list[Outcome]:
    """Put a peer out of the room; whoever calls this forgets the peer afterwards."""
    facts = _facts(room)
    changed = {id_: role for id_, role in facts["changed"].items() if id_ != target.id}
    out = [*facts["out"], [target.id, target.mark]][-MAX_CHANGES:]
    room.decided.add(target.id)
    others = [peer for peer in room.peers.values() if peer is not target]
    newest = _put(room, at, {"changed": changed, "out": out})
    return [*_dismiss(room, target, by), *each(others, newest)]


def _dismiss(room: Room, target: Peer, by: str | None) -> Iterator[Outcome]:
    hearers = room.hearers(target)
    yield from each([target, *hearers], RoleChange(None, id=target.id, by=by))
    yield Dismissal(target.id, "removed")
    yield from each(hearers, PeerDisconnected(target.role.name, target.id, "removed"))


def change(room: Room, target: Peer, new: Role, by: str | None) -> Iterator[Outcome]:
    """Give a peer another role, and tell everyone whom that concerns."""
    heard_before, met_before = room.hearers(target), room.met_by(target)
    offers_before = {peer.id: _who_offers(target, peer) for peer in room.peers.values()}
    old, target.role = target.role, new
    heard_now, met_now = room.hearers(target), room.met_by(target)
    stays = {
        peer.id
        for peer in heard_before
        if peer in heard_now and offers_before[peer.id] == _who_offers(target, peer)
    }
    changed = RoleChange(new.name, id=target.id, by=by)
    everyone = dict.fromkeys([target, *heard_before, *heard_now])
    yield from each(everyone, changed)
    gone = PeerDisconnected(old.name, target.id, "role")
    yield from each([p for p in heard_before if p.id not in stays], gone)
    newly_met = [p for p in heard_now if p.id not in stays and not p.away]
    if target.away:
        target.unseen_by.update(p.id for p in newly_met)
    else:
        yield from room.announce(target, newly_met)
    for peer in met_before:
        if peer not in met_now or offers_before[peer.id] != _who_offers(target, peer):
            yield Delivery(target.id, PeerDisconnected(peer.role.name, peer.id, "role"))
    for peer in met_now:
        known = peer in met_before and offers_before[peer.id] == _who_offers(target, peer)
        if not known and peer.away:
            peer.unseen_by.add(target.id)
        elif not known:
            yield from room.announce(peer, [target])
    if target.away:
        target.heard = 0
    newly_heard = room.history.after(0, new.meets - old.meets)
    yield from (Delivery(target.id, said) for said in newly_heard if said.from_ != target.id)


def _who_offers(target: Peer, peer: Peer) -> tuple[bool, bool]:
    return offers(target, peer), offers(peer, target)


def note_leader(room: Room, peer: Peer, at: float) -> list[Outcome]:
    """Remember that somebody has the role that an heir would get."""
    heir = room.type.heir
    if heir is None or peer.role.name != heir[1] or _facts(room)["led"]:
        return []
    return list(each(room.peers.values(), _put(room, at, {"led": True})))


def inherit(room: Room, at: float) -> list[Outcome]:
    """Where the last leader is gone, the peer that has been there longest takes its place."""
    heir = room.type.heir
    if heir is None or not _facts(room)["led"] or room.with_role(heir[1]):
        return []
    candidates = room.with_role(heir[0])
    if not candidates:
        return []
    present = [peer for peer in candidates if not peer.away]
    chosen = (present or candidates)[0]
    told = list(change(room, chosen, room.type.roles[heir[1]], None))
    return [*told, *_remember(room, at, chosen, heir[1])]


def merged(room: Room, restored: Json) -> Json:
    """What was changed before a restart, with what this process has decided since then."""
    now, decided = _facts(room), room.decided
    changed = {id_: role for id_, role in restored["changed"].items() if id_ not in decided}
    changed |= {id_: role for id_, role in now["changed"].items() if id_ in decided}
    out = [pair for pair in restored["out"] if pair[0] not in decided]
    out += [pair for pair in now["out"] if pair[0] in decided]
    return {"changed": changed, "out": out, "led": restored["led"] or now["led"]}


def restore(room: Room) -> list[Outcome]:
    """Bring the peers in line with a document of the changes that was just handed back."""
    told: list[Outcome] = []
    marks = _marks(room)
    for peer in list(room.peers.values()):
        if is_out(room, peer.id):
            told += _dismiss(room, peer, None)
            continue
        role = role_of(room, peer.id, peer.given)
        waits = room.type.knocks.get(role)
        if waits is not None and peer.mark in marks and peer.id not in _facts(room)["changed"]:
            role = waits
        if role != peer.role.name:
            told += change(room, peer, room.type.roles[role], None)
    return told


def _remember(room: Room, at: float, target: Peer, role: str) -> list[Outcome]:
    facts = _facts(room)
    changed = {id_: was for id_, was in facts["changed"].items() if id_ != target.id}
    room.decided.add(target.id)
    if role != target.given:
        changed = dict([*changed.items(), (target.id, role)][-MAX_CHANGES:])
    led = facts["led"] or (room.type.heir is not None and role == room.type.heir[1])
    waited = target.given in room.type.knocks.values() and role not in room.type.knocks.values()
    out = [pair for pair in facts["out"] if not waited or pair[1] != target.mark]
    value = {"changed": changed, "out": out, "led": led}
    return list(each(room.peers.values(), _put(room, at, value)))


def _marks(room: Room) -> set[str]:
    return {mark for _out, mark in _facts(room)["out"] if mark is not None}


def _facts(room: Room) -> dict[str, Any]:
    facts: dict[str, Any] = room.documents.values.get(ROLES) or {
        "changed": {},
        "out": [],
        "led": False,
    }
    return facts


def _put(room: Room, at: float, changes: Mapping[str, Any]) -> DocumentVersion:
    return room.documents.put(ROLES, {**_facts(room), **changes}, at)
