"""What peers say to each other, once they are in a room: who may, to whom it goes, what is kept."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from signaling.room.deliveries import Delivery, Outcome
from signaling.room.messages import (
    Answer,
    ClientMessage,
    Control,
    DocumentVersion,
    IceCandidate,
    Offer,
    Routed,
    Say,
    State,
    Time,
    forwarded,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.room import Peer, each, offers
from signaling.room.room_type import Role

MAX_STATE = 4096
"""How long a state may be, as JSON, that is kept for those who come later."""

MAX_SETTING = 64
"""How long the value of a setting may be, in characters, from a role that may ask for few."""

FOR_EVERY_ROLE = frozenset({Time.type, DocumentVersion.type})
"""What every role may send: a question, and what the server has sealed itself."""


def check_may_send(peer: Peer, message: ClientMessage) -> None:
    """Raise a `Refusal` with the code wrong-role where a peer may not send such messages."""
    if message.type in peer.role.sends or message.type in FOR_EVERY_ROLE:
        return
    raise Refusal(Code.WRONG_ROLE, f'A {peer.role.name} does not send "{message.type}" messages.')


def route(peer: Peer, message: Routed, max_candidates: int) -> list[Outcome]:
    """Pass a message on as it is.

    Raises
    ------
    Refusal: with the codes unknown-target, ambiguous-target, wrong-role or too-many-candidates.
    """
    targets = peer.room.targets(peer, message)
    _check_side(peer, message, targets)
    _count_candidates(peer, message, max_candidates)
    if isinstance(message, State) and message.to is None:
        peer.state = message.state if _is_small(message.state) else None
    passed_on = forwarded(message, peer.id)
    return [Delivery(target.id, passed_on) for target in targets]


def say(peer: Peer, message: Say, at: float) -> list[Outcome]:
    """Tell what a peer says to everyone who hears of it, or to one of them, and to itself.

    Parameters
    ----------
    at: the room's time, in milliseconds.

    Raises
    ------
    Refusal: with the codes bad-field or unknown-target.
    """
    room = peer.room
    kind = room.type.utterances.get(message.kind)
    if kind is None:
        raise Refusal(Code.BAD_FIELD, f'Nobody here says "{message.kind[:40]}".')
    if len(message.body) > kind.max_characters:
        raise Refusal(
            Code.BAD_FIELD, f"This is too long: at most {kind.max_characters} characters."
        )
    private = message.to is not None
    hearers = [room.named(peer, message.to)] if message.to is not None else room.hearers(peer)
    said = dataclasses.replace(
        message,
        to=None,
        from_=peer.id,
        name=peer.name,
        at=at,
        n=room.history.next_number(),
        private=private,
    )
    if not private:
        room.history.keep(said, peer.role.name)
    return list(each([peer, *hearers], said))


def _is_small(state: Mapping[str, Any]) -> bool:
    return len(json.dumps(state, separators=(",", ":"))) <= MAX_STATE


def _count_candidates(peer: Peer, message: Routed, most: int) -> None:
    if isinstance(message, Offer | Answer):
        peer.candidates = 0
    elif isinstance(message, IceCandidate):
        if peer.candidates >= most:
            raise Refusal(
                Code.TOO_MANY_CANDIDATES,
                f"More than {most} candidates came after one offer or answer.",
            )
        peer.candidates += 1


def _check_side(peer: Peer, message: Routed, targets: Iterable[Peer]) -> None:
    """Raise a `Refusal` where the other side makes the offers, or a setting is not this role's."""
    if isinstance(message, Offer | Answer):
        mine = isinstance(message, Offer)
        if any(offers(peer, target) is not mine for target in targets):
            side = "The other side makes" if mine else "This side makes"
            raise Refusal(Code.WRONG_ROLE, f"{side} the offers of this connection.")
    if isinstance(message, Control) and peer.role.controls is not None:
        _check_settings(peer.role, peer.role.controls, message.settings)


def _check_settings(role: Role, controls: frozenset[str], settings: Mapping[str, Any]) -> None:
    if set(settings) - controls:
        asked = ", ".join(sorted(controls))
        raise Refusal(Code.WRONG_ROLE, f"A {role.name} may ask for {asked} alone.")
    for name, value in settings.items():
        if not isinstance(value, bool | int | float | str) or len(str(value)) > MAX_SETTING:
            sentence = f'"{name}" must be true, false, a number or a short text.'
            raise Refusal(Code.BAD_FIELD, sentence)
