"""Rooms under random sequences of everything that can happen, against a model of plain data."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from signaling.room.deliveries import Delivery, Outcome
from signaling.room.messages import (
    Answer,
    Control,
    IceCandidate,
    Invite,
    Offer,
    PeerConnected,
    PeerDisconnected,
    Register,
    Routed,
    State,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.rooms import Rooms, Settings
from signaling.room.seals import Seals, Ticket
from signaling.room_types.camera import camera
from turn.servers import NoTurn

START = 1_000_000.0
RESUME_SECONDS = 45
SEATS = 2
MAX_ROOMS = 2
MAX_CANDIDATES = 3
ROLES = ("sender", "receiver", "viewer")
ROOMS = ("one", "two", "three")
WATCHES = (Answer, IceCandidate, Control)
SENDS = {"sender": (Offer, IceCandidate, State), "receiver": WATCHES, "viewer": WATCHES}
MEETS = {"sender": {"receiver", "viewer"}, "receiver": {"sender"}, "viewer": {"sender"}}


@dataclass
class Seat:
    """What the model knows of one peer."""

    room: str
    role: str
    lost_at: float | None = None
    candidates: int = 0
    told: bool = False
    """Whether it has told everyone its state."""


class Revoking(NoTurn):
    """Remembers whose credentials were taken back."""

    def __init__(self) -> None:
        self.revoked: Counter[str] = Counter()

    def revoke(self, peer_id: str) -> None:
        self.revoked[peer_id] += 1


class RoomsMachine(RuleBasedStateMachine):
    """Peers come, talk, are cut off, come back, leave and are lost, while time goes by."""

    peers = Bundle("peers")

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.turn = Revoking()
        self.seals = Seals(b"s" * 32)
        self.model: dict[str, Seat] = {}
        self.gone: Counter[str] = Counter()
        self.count = 0

    @initialize(age=st.sampled_from([0, 40, 1000]))
    def start(self, age: int) -> None:
        self.inherits_until = START - age + RESUME_SECONDS
        self.rooms = Rooms(
            [camera(senders=SEATS, receivers=SEATS, viewers=SEATS)],
            Settings(
                max_rooms=MAX_ROOMS,
                max_candidates=MAX_CANDIDATES,
                resume_seconds=RESUME_SECONDS,
                told={},
            ),
            keys=None,
            turn=self.turn,
            unix_time=lambda: self.now,
            invite=lambda _kind, role, room, origin: Invite(f"{origin}/{role}#{room}"),
            seals=self.seals,
            started=START - age,
        )

    @rule(target=peers, role=st.sampled_from(ROLES), room=st.sampled_from(ROOMS))
    def register(self, role: str, room: str) -> str:
        fresh = self.fresh_id()
        self.enter(fresh, fresh, Seat(room, role), Register(role, room))
        return fresh

    @rule(peer=peers, role=st.sampled_from(ROLES), room=st.sampled_from(ROOMS))
    def register_again(self, peer: str, role: str, room: str) -> None:
        if peer in self.model:
            token = self.token(peer, room, role)
            assert self.refused(peer, Register(role, room, resume=token)) == (
                Code.ALREADY_REGISTERED
            )

    @rule(target=peers, peer=peers, role=st.sampled_from(ROLES), room=st.sampled_from(ROOMS))
    def resume(self, peer: str, role: str, room: str) -> object:
        """With the token of a peer that was here, or a new one in another room or role."""
        fresh, seat = self.fresh_id(), Seat(room, role)
        here = self.model.get(peer)
        if here is not None and (here.room, here.role) != (room, role):
            # Its token is for where it is; for elsewhere it counts as none.
            token = self.token(peer, here.room, here.role)
            self.enter(fresh, fresh, seat, Register(role, room, resume=token))
            return fresh
        token = self.token(peer, room, role)
        inherited = self.now < self.inherits_until and not self.gone[peer]
        same = here is not None or inherited
        self.enter(fresh, peer if same else fresh, seat, Register(role, room, resume=token))
        return multiple() if same else fresh

    @rule(peer=peers, to=peers | st.none(), kind=st.integers(0, 4))
    def route(self, peer: str, to: str | None, kind: int) -> None:
        message: Routed = (
            Offer("v=0", to=to),
            Answer("v=0", to=to),
            IceCandidate(None, to=to),
            Control({}, to=to),
            State({}, to=to),
        )[kind]
        seat = self.model.get(peer)
        met = self.met_by(peer)
        if seat is None:
            assert self.refused(peer, message) == Code.NOT_REGISTERED
        elif not isinstance(message, SENDS[seat.role]):
            assert self.refused(peer, message) == Code.WRONG_ROLE
        elif to is not None and to not in met:
            assert self.refused(peer, message) == Code.UNKNOWN_TARGET
        elif not isinstance(message, State) and not self.are_meant(message, met):
            code = Code.AMBIGUOUS_TARGET if met else Code.UNKNOWN_TARGET
            assert self.refused(peer, message) == code
        elif isinstance(message, IceCandidate) and seat.candidates == MAX_CANDIDATES:
            assert self.refused(peer, message) == Code.TOO_MANY_CANDIDATES
        else:
            seat.candidates += isinstance(message, IceCandidate)
            seat.candidates *= not isinstance(message, Offer | Answer)
            seat.told |= isinstance(message, State) and to is None
            deliveries = self.rooms.receive(peer, message, self.now)
            assert {d.peer_id for d in deliveries} == self.are_meant(message, met)
            sent = [d.message for d in deliveries if isinstance(d, Delivery)]
            assert all(getattr(message, "from_", None) == peer for message in sent)

    @rule(peer=peers)
    def drop(self, peer: str) -> None:
        seat = self.model.get(peer)
        told = self.rooms.drop(peer, self.now)
        if seat is None or seat.lost_at is not None:
            assert told == []
            return
        seat.lost_at = self.now + RESUME_SECONDS
        gone = PeerDisconnected(seat.role, peer, "away")
        self.check_told(told, dict.fromkeys(self.met_by(peer), gone))

    @rule(peer=peers, reason=st.sampled_from(["left", "lost"]))
    def leave(self, peer: str, reason: str) -> None:
        met, seat = self.met_by(peer), self.model.get(peer)
        told = self.rooms.leave(peer, reason, self.now)
        if seat is None:
            assert told == []
            return
        self.forget(peer)
        gone = PeerDisconnected(seat.role, peer, reason)
        self.check_told(told, dict.fromkeys(met, gone))

    @rule(seconds=st.sampled_from([1, 10, 44, 45, 100]))
    def tick(self, seconds: int) -> None:
        """Time goes by; who has been away for too long expires."""
        self.now += seconds
        lost = [p for p, s in self.model.items() if s.lost_at is not None and s.lost_at <= self.now]
        expected = {(m, p) for p in lost for m in self.met_by(p) if m not in lost}
        for peer in lost:
            self.forget(peer)
        told = self.rooms.tick(self.now)
        gone = [(d.peer_id, d.message) for d in told if isinstance(d, Delivery)]
        assert {(to, getattr(message, "id", "")) for to, message in gone} == expected
        assert all(getattr(message, "reason", None) == "lost" for _to, message in gone)

    @invariant()
    def counts_are_the_model_s(self) -> None:
        counts = self.rooms.counts()
        roles = Counter(seat.role for seat in self.model.values())
        assert counts.peers == len(self.model)
        assert counts.rooms == len({seat.room for seat in self.model.values()})
        assert counts.by_role == {role: roles[role] for role in ROLES}
        assert all(peer in self.rooms for peer in self.model)

    @invariant()
    def no_limit_is_passed(self) -> None:
        seats = Counter((seat.room, seat.role) for seat in self.model.values())
        assert all(count <= SEATS for count in seats.values())
        assert self.rooms.counts().rooms <= MAX_ROOMS

    @invariant()
    def credentials_are_taken_back_from_those_who_are_gone_alone(self) -> None:
        assert self.turn.revoked == self.gone

    def teardown(self) -> None:
        for number, peer in enumerate(list(self.model)):
            if number % 2:
                self.rooms.leave(peer, "left", self.now)
            else:
                self.rooms.drop(peer, self.now)
        for times in (2, 3):
            self.rooms.tick(self.now + times * RESUME_SECONDS)
        # White box on purpose: no residue means that nothing is kept, counted or not.
        assert not self.rooms._rooms
        assert not self.rooms._peers

    def enter(self, fresh: str, expected: str, seat: Seat, message: Register) -> None:
        """Register, and compare id, answer and what the others are told with the model."""
        known = expected in self.model
        before = self.model.get(expected)
        if not known and not self.has_space(seat):
            assert self.refused(fresh, message) in (Code.ROOM_FULL, Code.SERVER_FULL)
            return
        joined = self.rooms.register(fresh, message, self.now, origin="https://here")
        was_away = before is not None and before.lost_at is not None
        if before is None:
            self.model[expected] = seat
        else:
            before.lost_at = None
        registered = joined.registered
        assert registered.id == expected
        assert registered.resumed == (expected != fresh)
        met = self.met_by(expected)
        assert {(p.id, p.away, p.offers) for p in registered.peers} == {
            (other, self.model[other].lost_at is not None, seat.role == "sender") for other in met
        }
        back = PeerConnected(seat.role, expected, offers=seat.role != "sender")
        news = dict.fromkeys(met, back) if was_away or not known else {}
        others = [d for d in joined.outcomes if isinstance(d, Delivery) and d.peer_id != expected]
        self.check_told([d for d in others if not isinstance(d.message, State)], news)
        present = {other for other in met if self.model[other].lost_at is None}
        mine = [
            d.message for d in joined.outcomes if isinstance(d, Delivery) and d.peer_id == expected
        ]
        announced = {message.id for message in mine if isinstance(message, PeerConnected)}
        assert announced == (set() if known else present)
        shown = {message.from_ for message in mine if isinstance(message, State)}
        assert shown == {m for m in (met if known else present) if self.model[m].told}

    def has_space(self, seat: Seat) -> bool:
        rooms = {other.room for other in self.model.values()}
        if seat.room not in rooms:
            return len(rooms) < MAX_ROOMS
        here = Counter((other.room, other.role) for other in self.model.values())
        return here[seat.room, seat.role] < SEATS

    def met_by(self, peer: str) -> set[str]:
        seat = self.model.get(peer)
        return {
            other
            for other, its in self.model.items()
            if seat is not None and its.room == seat.room and its.role in MEETS[seat.role]
        }

    def are_meant(self, message: Routed, met: set[str]) -> set[str]:
        if message.to is not None:
            return met & {message.to}
        if isinstance(message, State):
            return met
        present = {other for other in met if self.model[other].lost_at is None} or met
        return present if len(present) == 1 else set()

    def check_told(self, told: Sequence[Outcome], expected: Mapping[str, object]) -> None:
        assert len(told) == len(expected)
        assert {d.peer_id: d.message for d in told if isinstance(d, Delivery)} == expected

    def refused(self, peer: str, message: Register | Routed) -> Code | None:
        take = self.rooms.register if isinstance(message, Register) else self.rooms.receive
        try:
            take(peer, message, self.now)  # type: ignore[arg-type]
        except Refusal as refusal:
            return refusal.code
        return None

    def forget(self, peer: str) -> None:
        del self.model[peer]
        self.gone[peer] += 1

    def token(self, peer: str, room: str, role: str) -> str:
        return self.seals.token(Ticket(peer, role, 7), "camera", room, role)

    def fresh_id(self) -> str:
        self.count += 1
        return f"p{self.count}"


RoomsMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
test_random_sequences_leave_no_residue = RoomsMachine.TestCase
