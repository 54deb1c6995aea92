"""Rooms with documents, words and changing roles, under random sequences of all that can happen.

The peers are modelled as clients: each remembers what it was told, comes back with its token, and
hands back what a server that was started again does not know.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from signaling.room.changes import ROLES
from signaling.room.deliveries import Delivery, Dismissal, Outcome
from signaling.room.messages import (
    ClientMessage,
    DocumentVersion,
    Invite,
    PeerConnected,
    PeerDisconnected,
    Register,
    RoleChange,
    Say,
    ServerMessage,
    SetDocument,
)
from signaling.room.refusal import Code, Refusal
from signaling.room.rooms import Rooms, Settings
from signaling.room.seals import Seals
from tests.signaling.room.imaginary import BOARD, CHAT, KEPT, classroom
from turn.servers import NoTurn

RESUME_SECONDS = 45
ROOMS = ("one", "two")


@dataclass(eq=False)
class Client:
    """One client, and all it knows."""

    id: str
    room: str
    asked: str
    source: str
    role: str = ""
    token: str | None = None
    here: bool = True
    over: bool = False
    boot: int = 0
    documents: dict[str, DocumentVersion] = field(default_factory=dict)
    said: list[Say] = field(default_factory=list)
    met: set[str] = field(default_factory=set)

    def hear(self, message: ServerMessage) -> None:
        """Take in what the server says."""
        match message:
            case DocumentVersion():
                self.documents[message.name] = message
                if message.name == BOARD and message.version:
                    assert message.value["room"] == self.room
            case Say():
                assert message.body == self.room
                self.said.append(message)
            case RoleChange() if message.id == self.id:
                self.role = message.role or ""
            case PeerConnected():
                self.met.add(message.id)
            case PeerDisconnected() if message.reason != "away":
                self.met.discard(message.id)


class ChangesMachine(RuleBasedStateMachine):
    """Peers join, write, speak, promote, remove, are cut off and come back; the server restarts."""

    clients = Bundle("clients")

    @initialize()
    def start(self) -> None:
        self.now = 1_000_000.0
        self.seals = Seals(b"s" * 32)
        self.all: dict[str, Client] = {}
        self.count = 0
        self.boots = 0
        self.wrote = 0
        self.removed: set[str] = set()
        self.boot()
        for room in ROOMS:
            self.rooms.open("classroom", room, self.now)

    def boot(self) -> None:
        """A new process, which knows nothing."""
        self.booted = self.now
        self.boots += 1
        self.restored: dict[str, int] = {}
        self.rooms = Rooms(
            [classroom()],
            Settings(max_rooms=9, max_candidates=9, resume_seconds=RESUME_SECONDS, told={}),
            keys=None,
            turn=NoTurn(),
            unix_time=lambda: self.now,
            invite=lambda _kind, role, room, _origin: Invite(f"{role}#{room}"),
            seals=self.seals,
            started=self.now,
        )

    @rule(target=clients, role=st.sampled_from(["leader", "member"]), room=st.sampled_from(ROOMS))
    def join(self, role: str, room: str) -> Client:
        client = Client(self.fresh_id(), room, role, source=f"s{self.count}")
        self.all[client.id] = client
        self.register(client)
        return client

    @rule(client=clients)
    def cut_off(self, client: Client) -> None:
        if client.here:
            client.here = False
            self.tell(self.rooms.drop(client.id, self.now))

    @rule(client=clients)
    def come_back(self, client: Client) -> None:
        if client.token is not None and not client.over and not client.here:
            self.register(client)

    @rule(client=clients)
    def leave(self, client: Client) -> None:
        if client.here:
            client.here, client.over = False, True
            self.tell(self.rooms.leave(client.id, "left", self.now))

    @rule(client=clients, stale=st.booleans())
    def write(self, client: Client, stale: bool) -> None:
        newest = client.documents.get(BOARD)
        if not client.here or newest is None:
            return
        self.wrote += 1
        base = newest.version - 1 if stale and newest.version else newest.version
        value = {"room": client.room, "n": self.wrote}
        refusal = self.send(client, SetDocument(BOARD, base, value))
        if client.role not in ("leader", "member"):
            assert refusal == Code.WRONG_ROLE
        elif base != newest.version:
            assert refusal == Code.STALE_VERSION
        else:
            assert refusal is None
            assert client.documents[BOARD].version == base + 1
            assert client.documents[BOARD].value["n"] == self.wrote

    @rule(client=clients)
    def speak(self, client: Client) -> None:
        if client.here:
            refusal = self.send(client, Say(CHAT, client.room))
            allowed = client.role in ("leader", "member")
            assert refusal == (None if allowed else Code.WRONG_ROLE)

    @rule(
        client=clients,
        other=clients,
        role=st.sampled_from(["leader", "member", "quiet", "knocking", None]),
    )
    def change(self, client: Client, other: Client, role: str | None) -> None:
        if not client.here:
            return
        before = other.role
        refusal = self.send(client, RoleChange(role, to=other.id))
        if refusal is None:
            assert client.role == "leader" or (client is other and before == "leader")
            assert client.room == other.room
        if refusal is None and role is None:
            self.removed.add(other.id)
            assert other.over or not other.here

    @rule(client=clients)
    def sneak_in(self, client: Client) -> None:
        """Somebody who was removed comes by the same link from the same place, as if new."""
        if client.id not in self.removed or not self.knows_removal(client):
            return
        message = Register(client.asked, client.room)
        sneak = Client(self.fresh_id(), client.room, client.asked, client.source)
        self.all[sneak.id] = sneak
        try:
            joined = self.rooms.register(sneak.id, message, self.now, source=client.source)
        except Refusal as refused:
            self.check_refused(refused)
            sneak.here = False
            return
        assert joined.registered.role == "knocking"
        sneak.role, sneak.token = "knocking", joined.registered.resume
        self.tell(joined.outcomes)

    @rule(seconds=st.sampled_from([1, 20, 44, 46]))
    def tick(self, seconds: int) -> None:
        self.now += seconds
        self.tell(self.rooms.tick(self.now))
        for client in self.all.values():
            if client.id not in self.rooms and client.here:
                client.here = False

    @rule()
    def restart(self) -> None:
        """Killed and started again: all it knew is gone."""
        self.boot()
        for client in self.all.values():
            client.here = False

    @invariant()
    def everyone_here_sees_the_newest_version(self) -> None:
        for room in ROOMS:
            boards = {
                (client.documents[BOARD].version, str(client.documents[BOARD].value))
                for client in self.all.values()
                if client.here and client.room == room
            }
            assert len(boards) <= 1

    @invariant()
    def everyone_here_meets_whom_its_role_meets(self) -> None:
        kind = classroom()
        for client in self.all.values():
            if client.here:
                expected = {
                    other.id
                    for other in self.all.values()
                    if other is not client
                    and other.here
                    and other.room == client.room
                    and other.role in kind.roles[client.role].meets
                }
                assert expected <= client.met

    @invariant()
    def who_was_removed_is_out(self) -> None:
        for peer in self.removed:
            assert peer not in self.rooms or not self.knows_removal(self.all[peer])

    def knows_removal(self, client: Client) -> bool:
        """Whether the server knows, by itself or from somebody who came back."""
        facts = [
            other.documents[ROLES].value["out"]
            for other in self.all.values()
            if other.here and other.room == client.room and ROLES in other.documents
        ]
        return any(client.id == out for pairs in facts for out, _mark in pairs)

    def register(self, client: Client) -> None:
        """Join or come back; hand back what the server does not know any more."""
        held = dict(client.documents)
        heard = client.said[-1].n if client.said else None
        message = Register(client.asked, client.room, resume=client.token, heard=heard)
        leaders = self.leaders(client.room)
        try:
            fresh = self.fresh_id() if client.token else client.id
            joined = self.rooms.register(fresh, message, self.now, source=client.source)
        except Refusal as refused:
            self.check_refused(refused)
            client.here, client.over = False, True
            return
        registered = joined.registered
        if registered.id != client.id or not registered.resumed:
            held, client.said = {}, []
        if client.boot != self.boots:
            client.said, client.boot = [], self.boots
        self.rename(client, registered.id)
        client.token, client.role, client.here = registered.resume, registered.role, True
        client.met = {peer.id for peer in registered.peers}
        client.documents = {}
        self.tell(joined.outcomes)
        if registered.resumed:
            for name, version in held.items():
                self.hand_back(client, name, version)
        if client.here and client.role == "leader" and not registered.resumed:
            assert client.asked == "leader" or not leaders

    def hand_back(self, client: Client, name: str, version: DocumentVersion) -> None:
        known = client.documents[name]
        if not client.here or version.seal is None or version.version <= known.version:
            return
        self.send(client, version)
        if client.here and self.now < self.booted + RESUME_SECONDS:
            newest = client.documents[name]
            assert newest.version >= version.version
            assert name == ROLES or newest.value == version.value

    def check_refused(self, refusal: Refusal) -> None:
        assert refusal.code in (Code.ROOM_FULL, Code.NO_ROOM, Code.REMOVED)

    def fresh_id(self) -> str:
        self.count += 1
        return f"p{self.count}"

    def rename(self, client: Client, new: str) -> None:
        del self.all[client.id]
        client.id = new
        self.all[new] = client

    def leaders(self, room: str) -> list[Client]:
        return [c for c in self.all.values() if c.here and c.room == room and c.role == "leader"]

    def send(self, client: Client, message: ClientMessage) -> Code | None:
        try:
            outcomes = self.rooms.receive(client.id, message, self.now)
        except Refusal as refusal:
            return refusal.code
        self.tell(outcomes)
        return None

    def tell(self, outcomes: list[Outcome]) -> None:
        """Deliver, as the hub does: a peer that is away hears nothing of this kind."""
        for outcome in outcomes:
            client = self.all[outcome.peer_id]
            if isinstance(outcome, Dismissal):
                client.here, client.over = False, True
            elif client.here:
                self.check_heir(outcome)
                client.hear(outcome.message)

    def check_heir(self, outcome: Delivery) -> None:
        """The server makes a leader by itself only where there is none."""
        message = outcome.message
        if isinstance(message, RoleChange) and message.role == "leader" and message.by is None:
            room = self.all[str(message.id)].room
            others = [c for c in self.leaders(room) if c.id != message.id]
            assert others == [] or self.now < self.booted + RESUME_SECONDS

    def teardown(self) -> None:
        for client in self.all.values():
            assert [said.n for said in client.said] == sorted(said.n or 0 for said in client.said)
            assert len({said.n for said in client.said}) == len(client.said)
        assert KEPT < 50


ChangesMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_random_sequences_keep_documents_roles_and_words = ChangesMachine.TestCase
