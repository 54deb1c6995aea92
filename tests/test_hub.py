"""The hub: connections of any transport look the same to rooms, and each is kept within limits."""

import asyncio
import json
from typing import Any

from signaling.config import Limits
from signaling.hub import Connection, Hub, TokenBucket
from signaling.outbox import Ending
from signaling.protocol import Invite
from signaling.rooms import Rooms
from turn.servers import NoTurn

REGISTER = '{"type": "register", "role": "%s"}'


class Client:
    """A transport that keeps what it was told to do."""

    def __init__(self, hub: Hub) -> None:
        self.dropped: tuple[int, str] | None = None
        self.connection: Connection = hub.connect("https://here", self._drop)

    def _drop(self, code: int, reason: str) -> None:
        self.dropped = (code, reason)

    async def next(self) -> dict[str, Any] | Ending:
        item = await asyncio.wait_for(self.connection.outbox.get(), 5)
        return item if isinstance(item, Ending) else json.loads(item)


def a_hub(limits: Limits | None = None) -> Hub:
    rooms = Rooms(
        max_rooms=2,
        capacity={"sender": 2, "receiver": 2},
        keys=None,
        turn=NoTurn(),
        invite=lambda _room, origin: Invite(f"{origin}/sender", "<svg/>"),
    )
    return Hub(rooms, limits or Limits())


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
    hub.disconnect(client.connection, "left")
    hub.receive(client.connection, REGISTER % "sender")
    assert hub.counts().peers == 0


async def test_who_does_not_read_is_dropped_and_the_others_are_told() -> None:
    """Past the outbox's limit the transport is dropped at once, without waiting for its queue."""
    hub = a_hub(Limits(outbox_messages=3))
    sender, receiver = Client(hub), Client(hub)
    hub.receive(sender.connection, REGISTER % "sender")
    hub.receive(receiver.connection, REGISTER % "receiver")
    for _ in range(2):
        hub.receive(sender.connection, '{"type": "state", "state": {}}')
    assert receiver.dropped == (1008, "slow-client")
    assert hub.counts().by_role == {"sender": 1, "receiver": 0}
    told = [await sender.next() for _ in range(3)]
    assert isinstance(told[-1], dict)
    assert (told[-1]["type"], told[-1]["reason"]) == ("peer-disconnected", "slow")


async def test_disconnecting_twice_tells_once() -> None:
    """A transport may report its end more than once."""
    hub = a_hub()
    sender, receiver = Client(hub), Client(hub)
    hub.receive(sender.connection, REGISTER % "sender")
    hub.receive(receiver.connection, REGISTER % "receiver")
    hub.disconnect(sender.connection, "left")
    hub.disconnect(sender.connection, "lost")
    kinds = [await receiver.next() for _ in range(3)]
    assert isinstance(kinds[-1], dict)
    assert kinds[-1]["reason"] == "left"
    receiver.connection.outbox.end(1000, "")
    assert isinstance(await receiver.next(), Ending)


async def test_closing_waits_until_all_are_gone() -> None:
    """Every client is told with 1001, and `close` ends with the last of them."""
    hub = a_hub()
    client = Client(hub)
    closing = asyncio.ensure_future(hub.close(5))
    assert await client.next() == Ending(1001, "The server is stopping.")
    assert not closing.done()
    hub.disconnect(client.connection, "left")
    await asyncio.wait_for(closing, 1)


async def test_closing_does_not_wait_for_ever() -> None:
    """Who does not go is left to itself after the patience given."""
    hub = a_hub()
    client = Client(hub)
    await asyncio.wait_for(hub.close(0.05), 5)
    assert client.connection.outbox.ended


def test_the_bucket_allows_a_burst_and_then_its_rate() -> None:
    """So many at once, then as many as the rate brings back, never more than the burst."""
    bucket = TokenBucket(rate=2, burst=3, now=0)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(1) for _ in range(3)] == [True, True, False]
    assert [bucket.take(1000) for _ in range(4)] == [True, True, True, False]
