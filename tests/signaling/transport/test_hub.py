"""The hub: connections of any transport look the same to rooms, and each is kept within limits."""

import asyncio
import json
import re
from typing import Any

import pytest

from signaling.config import Limits
from signaling.metrics import Metrics
from signaling.room.links import Links
from signaling.room.messages import Invite
from signaling.room.refusal import Code, Refusal
from signaling.room.room_type import RoomType
from signaling.room.rooms import Rooms, Settings
from signaling.room.seals import Seals
from signaling.room_types.camera import camera
from signaling.transport.connection import Connection
from signaling.transport.guard import Guard
from signaling.transport.hub import Hub, error_text
from signaling.transport.outbox import Ending
from signaling.transport.post import SLOW_SECONDS
from tests.signaling.room.imaginary import classroom
from turn.servers import NoTurn

REGISTER = '{"type": "register", "role": "%s"}'
STATE = '{"type": "state", "state": {"n": %d}}'
CANDIDATE = '{"type": "ice-candidate", "candidate": {"candidate": "%d"}}'
NOW = 1_000_000.0


def refused(metrics: Metrics) -> dict[str, float]:
    """How often something was refused, by code."""
    lines = re.findall(
        r'^lenscast_refusals_total{code="(.*)"} (.*)$', metrics.text().decode(), re.M
    )
    return {code: float(times) for code, times in lines}


class TestBed:
    """A hub, what it is made of, and a clock that the test sets."""

    __test__ = False

    def __init__(
        self, limits: Limits, *, keys: Links | None = None, kind: RoomType | None = None
    ) -> None:
        self.now = NOW
        self.metrics = Metrics()
        self.guard = Guard(limits)
        rooms = Rooms(
            [camera(senders=2, receivers=2, viewers=2), *([kind] if kind else [])],
            Settings(
                max_rooms=2,
                max_candidates=limits.candidates_per_session,
                resume_seconds=limits.resume_seconds,
                told={},
            ),
            keys=keys,
            turn=NoTurn(),
            unix_time=lambda: self.now,
            invite=lambda _kind, role, _room, origin: Invite(f"{origin}/{role}"),
            seals=Seals(b"s" * 32),
            started=NOW - 1000,
        )
        self.hub = Hub(rooms, limits, self.guard, self.metrics, clock=lambda: self.now)

    def figure(self, name: str) -> float:
        """A figure of the metrics, with its labels as they are written; 0 where there is none."""
        found = re.search(rf"^{re.escape(name)} (.*)$", self.metrics.text().decode(), re.MULTILINE)
        return float(found[1]) if found else 0


class Client:
    """A transport that keeps what it was told to do."""

    def __init__(self, hub: Hub, address: str = "192.0.2.1") -> None:
        self.dropped: tuple[int, str] | None = None
        self.hub = hub
        self.connection: Connection = hub.connect("https://here", address, "test", self._drop)

    def _drop(self, code: int, reason: str) -> None:
        self.dropped = (code, reason)

    async def next(self) -> dict[str, Any] | Ending:
        item = await asyncio.wait_for(self.connection.outbox.get(), 5)
        return item if isinstance(item, Ending) else json.loads(item)

    async def message(self) -> dict[str, Any]:
        item = await self.next()
        assert isinstance(item, dict), item
        return item

    async def register(self, role: str, resume: str | None = None, **fields: Any) -> dict[str, Any]:
        register = {"type": "register", "role": role, "resume": resume, **fields}
        self.hub.receive(self.connection, json.dumps(register))
        answer = await self.message()
        assert answer["type"] == "registered", answer
        return answer

    async def told(self) -> list[dict[str, Any]]:
        """All that waits for it now; it is told nothing more."""
        found = await self.told_so_far()
        self.connection.outbox.end(1000, "")
        return found

    async def told_so_far(self) -> list[dict[str, Any]]:
        """All that waits for it now."""
        found = []
        while self.connection.outbox.size:
            found.append(await self.message())
        return found


def a_hub(limits: Limits | None = None) -> Hub:
    return TestBed(limits or Limits()).hub


async def test_who_was_refused_before_registering_is_heard_no_more() -> None:
    """After the error nothing else counts: not even a good registration."""
    hub = a_hub()
    client = Client(hub)
    hub.receive(client.connection, "{")
    hub.receive(client.connection, REGISTER % "sender")
    error = await client.next()
    assert isinstance(error, dict)
    assert error["code"] == "bad-json"
    assert await client.next() == Ending(1008, "bad-json")
    assert hub.counts().peers == 0


async def test_who_has_gone_is_heard_no_more() -> None:
    """What a transport still brings after its end changes nothing."""
    hub = a_hub()
    client = Client(hub)
    hub.disconnect(client.connection, left=True)
    hub.receive(client.connection, REGISTER % "sender")
    assert hub.counts().peers == 0


async def test_who_sends_a_client_too_much_is_refused_and_the_client_stays() -> None:
    """What fits is delivered; the client is not disturbed, and others still reach it."""
    bed = TestBed(Limits(outbox_messages=4))
    flooder, other, receiver = Client(bed.hub), Client(bed.hub), Client(bed.hub)
    for client, role in ((receiver, "receiver"), (flooder, "sender"), (other, "sender")):
        await client.register(role)
    for n in range(9):
        bed.hub.receive(flooder.connection, STATE % n)
    bed.hub.receive(other.connection, STATE % 99)
    assert receiver.dropped is None
    codes = [m["code"] for m in await flooder.told() if m["type"] == "error"]
    assert codes == ["too-much-waiting"] * 7
    assert refused(bed.metrics) == {"too-much-waiting": 7}
    assert not [m for m in await other.told() if m["type"] == "error"]
    told = [m["state"]["n"] for m in await receiver.told() if m["type"] == "state"]
    assert told == [0, 1, 99]


async def test_one_that_does_not_read_holds_nothing_back_from_the_others() -> None:
    """A message to many reaches those who read, though its sender hears that not all have it."""
    bed = TestBed(Limits(outbox_messages=4))
    sender, deaf, reads = Client(bed.hub), Client(bed.hub), Client(bed.hub)
    for client, role in ((sender, "sender"), (deaf, "receiver"), (reads, "receiver")):
        await client.register(role)
    await reads.message()
    for n in range(9):
        bed.hub.receive(sender.connection, STATE % n)
        assert (await reads.message())["state"] == {"n": n}


async def test_who_takes_nothing_for_some_seconds_is_cut_off() -> None:
    """Once too much waits for it: its transport is dropped at once, and it is away, so that it may
    come back for what still means something."""
    bed = TestBed(Limits(outbox_messages=4))
    sender, receiver, again = Client(bed.hub), Client(bed.hub), Client(bed.hub)
    await sender.register("sender")
    token = (await receiver.register("receiver"))["resume"]
    for n in range(2):
        bed.hub.receive(sender.connection, CANDIDATE % n)
    bed.now += SLOW_SECONDS - 0.1
    bed.hub.receive(sender.connection, CANDIDATE % 2)
    assert receiver.dropped is None
    bed.now += 0.1
    bed.hub.receive(sender.connection, CANDIDATE % 3)
    assert receiver.dropped == (1001, "slow-client")
    assert [m.get("code", m.get("reason")) for m in await sender.told()] == [
        *(None, "too-much-waiting", "away", "too-much-waiting")
    ]
    assert refused(bed.metrics)["slow-client"] == 1
    assert (await again.register("receiver", token))["resumed"]
    assert [m["candidate"]["candidate"] for m in await again.told()] == ["0", "1"]


async def test_a_client_that_reads_slowly_stays_however_long_others_send() -> None:
    """It takes one message now and then: that is enough."""
    bed = TestBed(Limits(outbox_messages=4))
    sender, receiver = Client(bed.hub), Client(bed.hub)
    await sender.register("sender")
    await receiver.register("receiver")
    for n in range(200):
        bed.now += SLOW_SECONDS / 8
        bed.hub.receive(sender.connection, STATE % n)
        if n % 4 == 0:
            await receiver.message()
    assert receiver.dropped is None


async def test_what_the_server_itself_has_to_say_is_bounded_too() -> None:
    """A client that asks and asks but reads nothing is cut off."""
    bed = TestBed(Limits(outbox_bytes=4000, messages_per_second=1e6, message_burst=10**6))
    client = Client(bed.hub)
    await client.register("sender")
    for _ in range(100):
        bed.hub.receive(client.connection, '{"type": "time", "sent": 1}')
    assert client.dropped == (1001, "slow-client")


async def test_bytes_count_as_well_as_messages() -> None:
    """A few large messages use up what a client may send; small ones of others are not affected."""
    bed = TestBed(Limits(bytes_per_second=1000, byte_burst=100_000))
    sender, other = Client(bed.hub), Client(bed.hub)
    await sender.register("sender")
    await other.register("sender")
    large = json.dumps({"type": "state", "state": {"x": "y" * 60_000}})
    for client, text in ((sender, large), (sender, large), (sender, STATE % 1), (other, STATE % 1)):
        bed.hub.receive(client.connection, text)
    assert refused(bed.metrics) == {"too-many-bytes": 1}
    bed.now += 60
    bed.hub.receive(sender.connection, large)
    assert [m["code"] for m in await sender.told()] == ["too-many-bytes"]


async def test_who_missed_something_is_told_the_newest_once_it_has_caught_up() -> None:
    """A state that did not fit is told later, as it is by then, and once."""
    bed = TestBed(Limits(outbox_messages=4))
    sender, receiver = Client(bed.hub), Client(bed.hub)
    await sender.register("sender")
    await receiver.register("receiver")
    for n in range(9):
        bed.hub.receive(sender.connection, STATE % n)
    bed.hub.tick()
    assert [(await receiver.message()).get("state") for _ in range(3)] == [None, {"n": 0}, {"n": 1}]
    bed.hub.tick()
    bed.hub.tick()
    assert [m["state"] for m in await receiver.told()] == [{"n": 8}]


async def test_what_follows_from_a_delivery_comes_after_those_before_it() -> None:
    """Everyone hears the words that were said before it hears who was cut off over them."""
    bed = TestBed(Limits(outbox_messages=4), kind=classroom())
    clients = {name: Client(bed.hub) for name in ("speaks", "deaf", "hears")}
    for client in clients.values():
        await client.register("leader", roomType="classroom", room="abc")
    say = '{"type": "say", "kind": "chat", "body": "%s"}'
    for body in ("one", "two"):
        bed.hub.receive(clients["speaks"].connection, say % body)
    bed.now += SLOW_SECONDS
    await clients["speaks"].told_so_far()
    await clients["hears"].told_so_far()
    bed.hub.receive(clients["speaks"].connection, say % "three")
    assert clients["deaf"].dropped == (1001, "slow-client")
    for name in ("speaks", "hears"):
        told = await clients[name].told()
        assert [m.get("body", m.get("reason")) for m in told] == ["three", "away"]


async def test_disconnecting_twice_tells_once() -> None:
    """A transport may report its end more than once."""
    hub = a_hub()
    sender, receiver = Client(hub), Client(hub)
    await sender.register("sender")
    await receiver.register("receiver")
    await receiver.next()
    hub.disconnect(sender.connection, left=True)
    hub.disconnect(sender.connection, left=False)
    assert [gone["reason"] for gone in await receiver.told()] == ["left"]


async def test_closing_waits_until_all_are_gone() -> None:
    """Every client is told with 1001, and `close` ends with the last of them."""
    hub = a_hub()
    client = Client(hub)
    closing = asyncio.ensure_future(hub.close(5))
    assert await client.next() == Ending(1001, "The server is stopping.")
    assert not closing.done()
    hub.disconnect(client.connection, left=True)
    await asyncio.wait_for(closing, 20)


async def test_closing_does_not_wait_for_ever() -> None:
    """Who does not go is left to itself after the patience given."""
    hub = a_hub()
    client = Client(hub)
    await asyncio.wait_for(hub.close(0.05), 5)
    assert client.connection.outbox.ended


async def test_who_was_cut_off_comes_back_by_another_connection() -> None:
    """The same id, at another connection; the others hear that it was away and is back."""
    bed = TestBed(Limits())
    hub = bed.hub
    receiver, sender, again = Client(hub), Client(hub), Client(hub)
    first = await sender.register("sender")
    await receiver.register("receiver")
    met = await receiver.next()
    hub.disconnect(sender.connection, left=False)
    away = await receiver.next()
    assert isinstance(met, dict)
    assert isinstance(away, dict)
    assert hub.counts().by_role == {"sender": 1, "receiver": 1, "viewer": 0}
    second = await again.register("sender", first["resume"])
    assert second["resumed"] is True
    assert "resumed" not in first
    assert second["id"] == again.connection.peer_id == first["id"]
    hub.receive(again.connection, STATE % 1)
    back, state = await receiver.told()
    assert met["type"] == back["type"] == "peer-connected"
    assert (away["type"], away["reason"]) == ("peer-disconnected", "away")
    assert met["id"] == away["id"] == back["id"] == state["from"] == first["id"]
    assert bed.figure("lenscast_reconnections_total") == 1


async def test_what_was_said_while_a_peer_was_away_waits_for_it() -> None:
    """After `registered`, in order: what its old connection did not send, then what came since."""
    hub = a_hub()
    sender, receiver, again = Client(hub), Client(hub), Client(hub)
    await sender.register("sender")
    token = (await receiver.register("receiver"))["resume"]
    hub.receive(sender.connection, CANDIDATE % 1)
    hub.disconnect(receiver.connection, left=False)
    hub.receive(sender.connection, CANDIDATE % 2)
    assert hub.away_bytes() > 2 * len(CANDIDATE)
    await again.register("receiver", token)
    assert hub.away_bytes() == 0
    hub.receive(sender.connection, CANDIDATE % 3)
    told = await again.told()
    assert [m["candidate"]["candidate"] for m in told] == ["1", "2", "3"]


async def test_a_transport_that_goes_on_reading_takes_nothing_from_who_is_away() -> None:
    """Once it is disconnected, what is kept for the peer is out of its reach."""
    hub = a_hub()
    sender, receiver, again = Client(hub), Client(hub), Client(hub)
    await sender.register("sender")
    token = (await receiver.register("receiver"))["resume"]
    hub.disconnect(receiver.connection, left=False)
    hub.receive(sender.connection, CANDIDATE % 1)
    assert await receiver.told() == []
    await again.register("receiver", token)
    assert [m["type"] for m in await again.told()] == ["ice-candidate"]


async def test_who_sends_too_much_to_one_who_is_away_is_refused() -> None:
    """The same bounds hold as for a client that is here, and the peer keeps its seat."""
    bed = TestBed(Limits(outbox_messages=4))
    sender, receiver, again = Client(bed.hub), Client(bed.hub), Client(bed.hub)
    await sender.register("sender")
    token = (await receiver.register("receiver"))["resume"]
    bed.hub.disconnect(receiver.connection, left=False)
    for n in range(4):
        bed.hub.receive(sender.connection, CANDIDATE % n)
    assert [m.get("code", m.get("reason")) for m in await sender.told()] == [
        *(None, "away", "too-much-waiting", "too-much-waiting")
    ]
    assert (await again.register("receiver", token))["resumed"]
    assert [m["candidate"]["candidate"] for m in await again.told()] == ["0", "1"]


async def test_what_a_peer_has_missed_takes_no_room_from_what_comes() -> None:
    """It comes back to all that may wait for it, and has still room for as much more."""
    bed = TestBed(Limits(outbox_messages=4))
    sender, receiver, again = Client(bed.hub), Client(bed.hub), Client(bed.hub)
    await sender.register("sender")
    token = (await receiver.register("receiver"))["resume"]
    bed.hub.disconnect(receiver.connection, left=False)
    for n in range(2):
        bed.hub.receive(sender.connection, CANDIDATE % n)
    await again.register("receiver", token)
    bed.hub.receive(sender.connection, CANDIDATE % 2)
    assert [m["candidate"]["candidate"] for m in await again.told()] == ["0", "1", "2"]


async def test_private_words_wait_for_one_who_is_away() -> None:
    """Nobody else could tell them again; those to all are told from the room's memory, once."""
    bed = TestBed(Limits(), kind=classroom())
    speaker, hearer, again = Client(bed.hub), Client(bed.hub), Client(bed.hub)
    await speaker.register("leader", roomType="classroom", room="abc")
    was = await hearer.register("leader", roomType="classroom", room="abc")
    bed.hub.disconnect(hearer.connection, left=False)
    for body, to in (("to you", was["id"]), ("to all", None)):
        say = {"type": "say", "kind": "chat", "body": body, "to": to}
        bed.hub.receive(speaker.connection, json.dumps(say))
    await again.register("leader", was["resume"], roomType="classroom", room="abc")
    said = [m for m in await again.told() if m["type"] == "say"]
    assert [m["body"] for m in said] == ["to you", "to all"]
    assert [m.get("private") for m in said] == [True, None]


async def test_what_waits_for_all_who_are_away_is_bounded() -> None:
    """The oldest room's is dropped first, its peers keep their seats, and nothing is left of it
    once they are gone."""
    bed = TestBed(Limits(away_bytes=100_000))
    hub, senders, tokens = bed.hub, {}, {}
    for room in ("old", "new"):
        senders[room], receiver = Client(hub), Client(hub)
        await senders[room].register("sender", room=room)
        tokens[room] = (await receiver.register("receiver", room=room))["resume"]
        hub.disconnect(receiver.connection, left=False)
        hub.receive(senders[room].connection, '{"type": "offer", "sdp": "%s"}' % ("x" * 30_000))
    assert 60_000 < hub.away_bytes() < 61_000
    for _ in range(2):
        hub.receive(senders["new"].connection, '{"type": "offer", "sdp": "%s"}' % ("y" * 30_000))
        assert 90_000 < hub.away_bytes() < 91_000
    told = {}
    for room, token in tokens.items():
        again = Client(hub)
        assert (await again.register("receiver", token, room=room))["resumed"]
        told[room] = [m["type"] for m in await again.told()]
        hub.disconnect(again.connection, left=True)
    assert told == {"old": [], "new": ["offer"] * 3}
    assert hub.away_bytes() == 0


async def test_seats_of_those_away_count_for_their_address() -> None:
    """Past the limit nobody new from there gets a seat; those who come back do, and others."""
    bed = TestBed(Limits(connections_per_address=2))
    first = Client(bed.hub)
    tokens = [(await first.register("sender"))["resume"]]
    bed.hub.disconnect(first.connection, left=False)
    second = Client(bed.hub)
    tokens.append((await second.register("receiver"))["resume"])
    bed.hub.disconnect(second.connection, left=False)
    third = Client(bed.hub)
    bed.hub.receive(third.connection, REGISTER % "receiver")
    assert (await third.message())["code"] == "too-many-connections"
    bed.hub.disconnect(third.connection, left=False)
    assert await Client(bed.hub, "192.0.2.2").register("receiver")
    for role, token in zip(("sender", "receiver"), tokens, strict=True):
        back = Client(bed.hub)
        assert (await back.register(role, token))["resumed"]
    bed.hub.disconnect(back.connection, left=True)
    assert await Client(bed.hub).register("receiver")


@pytest.mark.parametrize("cut", [True, False])
async def test_coming_back_brings_no_new_burst(cut: bool) -> None:
    """A peer has one rate, by however many connections one after the other."""
    bed = TestBed(Limits(messages_per_second=1e-9, message_burst=3))
    receiver, sender = Client(bed.hub), Client(bed.hub)
    await receiver.register("receiver")
    token = (await sender.register("sender"))["resume"]
    for n in range(4):
        again = Client(bed.hub)
        if cut:
            bed.hub.disconnect(sender.connection, left=False)
        await again.register("sender", token)
        bed.hub.receive(again.connection, STATE % n)
        sender = again
    assert [m["state"]["n"] for m in await receiver.told() if m["type"] == "state"] == [0, 1]


async def test_a_newer_connection_of_a_peer_takes_the_place_of_the_older() -> None:
    """The older one is dropped with 4001, and nobody hears that anyone left."""
    bed = TestBed(Limits())
    hub = bed.hub
    receiver, older, newer = Client(hub), Client(hub), Client(hub)
    token = (await older.register("sender"))["resume"]
    await receiver.register("receiver")
    answer = await newer.register("sender", token)
    assert older.dropped == (4001, "replaced")
    assert newer.dropped is None
    assert answer["resumed"] is True
    hub.receive(older.connection, STATE % 1)
    hub.disconnect(older.connection, left=True)
    hub.receive(newer.connection, STATE % 2)
    connected, state = await receiver.told()
    assert connected["type"] == "peer-connected"
    assert state["state"] == {"n": 2}
    assert [m["type"] for m in await newer.told()] == ["peer-connected"]
    assert bed.figure('lenscast_connections{transport="test"}') == 2


async def test_who_said_goodbye_does_not_come_back() -> None:
    """After `left` the seat is free at once and the token gives a new id."""
    hub = a_hub()
    sender, again = Client(hub), Client(hub)
    first = await sender.register("sender")
    hub.disconnect(sender.connection, left=True)
    assert hub.counts().peers == 0
    second = await again.register("sender", first["resume"])
    assert second["id"] != first["id"]
    assert "resumed" not in second


async def test_who_does_not_come_back_is_lost_at_the_next_tick() -> None:
    """The others are told, and nothing of it is kept."""
    bed = TestBed(Limits(resume_seconds=45))
    sender, receiver = Client(bed.hub), Client(bed.hub)
    await sender.register("sender")
    await receiver.register("receiver")
    await receiver.next()
    bed.hub.disconnect(sender.connection, left=False)
    bed.now += 44
    bed.hub.tick()
    away = await receiver.next()
    assert isinstance(away, dict)
    assert away["reason"] == "away"
    assert bed.hub.counts().peers == 2
    bed.now += 1
    bed.hub.tick()
    assert bed.hub.counts().peers == 1
    assert [gone["reason"] for gone in await receiver.told()] == ["lost"]
    assert not list(bed.hub._away)


async def test_who_comes_back_has_more_than_the_time_to_register() -> None:
    """The deadline ends with the registration, also where that changes the connection's id."""
    hub = a_hub(Limits(register_seconds=0.05))
    sender = Client(hub)
    token = (await sender.register("sender"))["resume"]
    again, silent = Client(hub), Client(hub)
    await again.register("sender", token)
    assert (await silent.message())["code"] == "register-timeout"
    assert await again.told() == []


async def test_a_connection_too_many_is_refused_and_holds_nothing() -> None:
    """It is told by its transport, and is as if it had never been."""
    bed = TestBed(Limits(connections=1))
    only = Client(bed.hub)
    with pytest.raises(Refusal) as refused:
        Client(bed.hub)
    assert refused.value.code == Code.TOO_MANY_CONNECTIONS
    told = json.loads(error_text(refused.value))
    assert (told["type"], told["code"]) == ("error", "too-many-connections")
    assert bed.figure('lenscast_connections{transport="test"}') == 1
    assert bed.figure('lenscast_refusals_total{code="too-many-connections"}') == 1
    bed.hub.disconnect(only.connection, left=True)
    Client(bed.hub)


@pytest.mark.parametrize("end", ["left", "away", "replaced", "slow", "refused"])
async def test_a_connection_that_has_ended_counts_no_more(end: str) -> None:
    """Whatever its end was, there is room for another one."""
    bed = TestBed(Limits(connections=2, outbox_messages=2))
    hub, client = bed.hub, Client(bed.hub)
    if end == "refused":
        hub.receive(client.connection, "{")
    else:
        token = (await client.register("receiver"))["resume"]
    other = Client(hub)
    if end == "replaced":
        await other.register("receiver", token)
    elif end == "slow":
        await other.register("sender")
        hub.receive(other.connection, STATE % 1)
        bed.now += SLOW_SECONDS
        hub.receive(other.connection, STATE % 2)
        assert client.dropped
    hub.disconnect(client.connection, left=end != "away")
    hub.disconnect(other.connection, left=True)
    assert bed.figure('lenscast_connections{transport="test"}') == 0
    assert len([Client(hub), Client(hub)]) == 2


async def test_wrong_keys_make_an_address_wait() -> None:
    """Past the limit each further wrong key has to wait; the right one opens, from there too."""
    keys = Links(b"s" * 32)
    bed = TestBed(Limits(failed_keys_per_minute=2), keys=keys)

    async def answer(key: str, address: str) -> dict[str, Any]:
        client = Client(bed.hub, address)
        register = {"type": "register", "role": "sender", "room": "abc", "key": key}
        bed.hub.receive(client.connection, json.dumps(register))
        return await client.message()

    for _ in range(3):
        assert (await answer("wrong", "192.0.2.1"))["code"] == "bad-key"
    assert bed.guard.waiting(bed.now) == 1
    refused = await answer("wrong", "192.0.2.1")
    assert refused["code"] == "too-many-attempts"
    assert " s." in refused["message"]
    assert (await answer("wrong", "192.0.2.2"))["code"] == "bad-key"
    assert (await answer(keys.key("abc", "sender"), "192.0.2.1"))["type"] == "registered"
    assert bed.guard.waiting(bed.now + 1) == 0


async def test_what_happens_is_counted() -> None:
    """Messages by type, refusals by code, connections by transport, and the time to register."""
    bed = TestBed(Limits())
    client = Client(bed.hub)
    await client.register("sender")
    bed.hub.receive(client.connection, STATE % 1)
    bed.hub.receive(client.connection, '{"type": "answer", "sdp": ""}')
    bed.hub.receive(client.connection, "{")
    assert bed.figure('lenscast_messages_received_total{type="register"}') == 1
    assert bed.figure('lenscast_messages_received_total{type="state"}') == 1
    assert bed.figure('lenscast_messages_received_total{type="answer"}') == 1
    assert bed.figure('lenscast_refusals_total{code="wrong-role"}') == 1
    assert bed.figure('lenscast_refusals_total{code="bad-json"}') == 1
    assert bed.figure('lenscast_connections{transport="test"}') == 1
    assert bed.figure("lenscast_setup_seconds_count") == 1
    assert bed.figure("lenscast_reconnections_total") == 0
