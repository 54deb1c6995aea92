"""Rooms with documents, words and changing roles, on a real server, over each transport."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from signaling.config import Config, Limits, Server, Turn
from signaling.config import Rooms as RoomSettings
from signaling.room.links import read_link
from signaling.server import SignalingServer
from tests.signaling.room.imaginary import BOARD, CHAT, KEPT, classroom
from tests.signaling.transport.raw import ask, request
from tests.signaling.transport.transports import (
    SECONDS,
    TRANSPORTS,
    Peer,
    Transport,
    WebSocketPeer,
)

FAST = {"messages_per_second": 100_000.0, "message_burst": 100_000}


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Transport:
    return TRANSPORTS[request.param]


@asynccontextmanager
async def served(
    folder: Path,
    *,
    ports: tuple[int, int] = (0, 0),
    trusted: bool = False,
    max_rooms: int = 100,
    **limits: Any,
) -> AsyncIterator[SignalingServer]:
    """A server that knows the imaginary kind of room, with keys."""
    config = Config(
        server=Server(
            host="127.0.0.1",
            port=ports[0],
            local_port=ports[1],
            tls="off",
            trusted_proxies=["127.0.0.1"] if trusted else [],
        ),
        rooms=RoomSettings(max_rooms=max_rooms),
        limits=dataclasses.replace(Limits(), **limits),
        turn=Turn(mode="none"),
    )
    server = SignalingServer(config, folder, more_types=[classroom()])
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


class Class:
    """A room of the imaginary kind and the peers that a test lets in, until the test ends."""

    def __init__(self, server: SignalingServer, transport: Transport, stack: AsyncExitStack):
        self.server = server
        self.transport = transport
        made = server.new_room("classroom")
        self.room: str = made["room"]
        self.key = read_link(made["links"]["leader"]).key
        self._stack = stack

    async def connect(self) -> Peer:
        """A client that has not registered."""
        link = f"http://127.0.0.1:{self.server.local_port}"
        peer = await self._stack.enter_async_context(self.transport(link))
        self._stack.push_async_callback(read_to_its_end, peer)
        return peer

    async def enter(self, role: str = "member", **fields: Any) -> tuple[Peer, dict[str, Any]]:
        """Somebody enters or comes back: the client, and what it was answered."""
        peer = await self.connect()
        key = {"key": self.key} if role == "leader" else {}
        answer = await peer.register(role, roomType="classroom", room=self.room, **key, **fields)
        return peer, answer

    async def refused(self, role: str = "member", **fields: Any) -> tuple[int | None, str | None]:
        """Somebody does not get in: how its connection is closed."""
        peer = await self.connect()
        message = {"role": role, "roomType": "classroom", "room": self.room, **fields}
        await peer.send(type="register", **message)
        return await peer.closed()


@asynccontextmanager
async def a_class(folder: Path, transport: Transport, **how: Any) -> AsyncIterator[Class]:
    """A server with one such room, nobody in it."""
    async with served(folder, **how) as server, AsyncExitStack() as stack:
        yield Class(server, transport, stack)


async def read_to_its_end(peer: Peer) -> None:
    """Close a WebSocket and read what has come: until then a task of Tornado's holds on to it."""
    if isinstance(peer, WebSocketPeer):
        peer.socket.close()
        await peer.closed()


async def until(peer: Peer, kind: str, **fields: Any) -> dict[str, Any]:
    """The next message of a type with these fields, passing over others."""
    async with asyncio.timeout(SECONDS):
        while True:
            message = await peer.receive()
            if message["type"] == kind and fields.items() <= message.items():
                return message


async def write(peer: Peer, base: int, value: Any) -> dict[str, Any]:
    """Change the board; the version that follows."""
    await peer.send(type="set", name=BOARD, base=base, value=value)
    return await until(peer, "document", name=BOARD, version=base + 1)


async def test_a_latecomer_is_told_what_the_others_show(
    tmp_path: Path, transport: Transport
) -> None:
    """The last state of each comes right after its `peer-connected`."""
    async with a_class(tmp_path, transport) as room:
        early, answer = await room.enter(name="Early")
        await early.send(type="state", state={"hand": False})
        await early.send(type="state", state={"hand": True})
        await early.send(type="time", sent=1)
        await until(early, "time")
        late, _ = await room.enter()
        met = await until(late, "peer-connected", id=answer["id"])
        assert (met["peer"], met["name"]) == ("member", "Early")
        shown = await late.receive_type("state")
        assert (shown["from"], shown["state"]) == (answer["id"], {"hand": True})


async def test_a_latecomer_is_told_what_was_said(tmp_path: Path, transport: Transport) -> None:
    """The last words, as many as are kept, after `registered`, as all heard them."""
    async with a_class(tmp_path, transport) as room:
        speaker, answer = await room.enter(name="Speaker")
        heard = []
        for number in range(KEPT + 2):
            await speaker.send(type="say", kind=CHAT, body=str(number))
            heard.append(await until(speaker, "say"))
        late, _ = await room.enter()
        told = [await until(late, "say") for _ in range(KEPT)]
        assert told == heard[-KEPT:]
        first = told[0]["n"]
        assert [said["n"] for said in told] == list(range(first, first + KEPT))
        assert {(said["from"], said["name"]) for said in told} == {(answer["id"], "Speaker")}


async def test_a_peer_that_comes_back_is_told_what_it_has_missed(
    tmp_path: Path, transport: Transport
) -> None:
    """By the number of the last that it has heard: each once, and the newest document."""
    async with a_class(tmp_path, transport) as room:
        speaker, _ = await room.enter()
        other, answer = await room.enter()
        await speaker.send(type="say", kind=CHAT, body="heard")
        last = await until(other, "say")
        other.break_off()
        await until(speaker, "peer-disconnected", reason="away")
        for body in ("missed", "as well"):
            await speaker.send(type="say", kind=CHAT, body=body)
        await write(speaker, 0, {"new": 1})
        back, again = await room.enter(resume=answer["resume"], heard=last["n"])
        assert (again["id"], again["resumed"]) == (answer["id"], True)
        assert (await until(back, "document", name=BOARD))["value"]["new"] == 1
        assert [(await until(back, "say"))["body"] for _ in range(2)] == ["missed", "as well"]
        await back.send(type="time", sent=1)
        seen = [await back.receive()]
        while seen[-1]["type"] != "time":
            seen.append(await back.receive())
        assert "say" not in {message["type"] for message in seen}


async def test_a_document_is_changed_by_one_and_told_to_all(
    tmp_path: Path, transport: Transport
) -> None:
    """Who is late gets the newest version, then the error, and can begin from there."""
    async with a_class(tmp_path, transport) as room:
        one, answer = await room.enter()
        two, _ = await room.enter()
        made = await write(one, 0, {"text": "one"})
        assert (made["by"], made["value"]["text"]) == (answer["id"], "one")
        assert await until(two, "document", version=1) == made
        await two.send(type="set", name=BOARD, base=0, value={"text": "two"})
        assert await until(two, "document") == made
        assert (await two.receive_type("error"))["code"] == "stale-version"
        await write(two, 1, {"text": "two"})
        assert (await until(one, "document", version=2))["value"]["text"] == "two"


async def test_a_peer_that_was_put_out_has_no_way_back(
    tmp_path: Path, transport: Transport
) -> None:
    """It hears why, then close code 4003; its token is refused, and by the link it has to wait."""
    async with a_class(tmp_path, transport) as room:
        leader, leads = await room.enter("leader")
        bad, answer = await room.enter()
        await leader.send(type="role", to=answer["id"], role=None)
        change = await until(bad, "role")
        assert (change["role"], change["id"], change["by"]) == (None, answer["id"], leads["id"])
        assert await bad.closed() == (4003, "removed")
        gone = await until(leader, "peer-disconnected")
        assert (gone["id"], gone["reason"]) == (answer["id"], "removed")
        assert await room.refused(resume=answer["resume"]) == (1008, "removed")
        again, waiting = await room.enter()
        assert waiting["role"] == "knocking"
        assert await room.refused("quiet") == (1008, "wrong-role")
        await again.send(type="say", kind=CHAT, body="let me in")
        assert (await until(again, "error"))["code"] == "wrong-role"


async def test_a_peer_knocks_and_is_let_in(tmp_path: Path, transport: Transport) -> None:
    """It waits and hears nothing; once it is let in it meets the others."""
    async with a_class(tmp_path, transport) as room:
        leader, leads = await room.enter("leader")
        await write(leader, 0, {"locked": True})
        newcomer, answer = await room.enter(name="New")
        assert (answer["role"], answer["peers"]) == ("knocking", [])
        knock = await until(leader, "peer-connected")
        assert (knock["peer"], knock["name"]) == ("knocking", "New")
        assert "offers" not in knock
        await leader.send(type="say", kind=CHAT, body="who is it?")
        await leader.send(type="role", to=answer["id"], role="member")
        change = await until(newcomer, "role")
        assert (change["role"], change["by"]) == ("member", leads["id"])
        met = await newcomer.receive_type("peer-connected")
        assert met["id"] == leads["id"]
        assert (await newcomer.receive_type("say"))["body"] == "who is it?"
        offers = (await until(leader, "peer-connected")).get("offers", False)
        assert offers is not met.get("offers", False)


async def test_somebody_inherits_a_room(tmp_path: Path, transport: Transport) -> None:
    """When the last leader leaves, the one who was there first may lead and end the room."""
    async with a_class(tmp_path, transport) as room:
        leader, _ = await room.enter("leader")
        first, answer = await room.enter()
        second, _ = await room.enter()
        await leader.leave()
        for peer in (first, second):
            change = await until(peer, "role")
            assert (change["id"], change["role"]) == (answer["id"], "leader")
            assert "by" not in change
        await first.send(type="end")
        assert await second.closed() == (4003, "ended")


async def test_a_room_is_ended_for_all(tmp_path: Path, transport: Transport) -> None:
    """Everyone hears close code 4003, and nobody enters again, with a key or without."""
    async with a_class(tmp_path, transport) as room:
        leader, _ = await room.enter("leader")
        member, answer = await room.enter()
        await member.send(type="end")
        assert (await until(member, "error"))["code"] == "wrong-role"
        await leader.send(type="end")
        for peer in (leader, member):
            assert await peer.closed() == (4003, "ended")
        assert await room.refused(resume=answer["resume"]) == (1008, "no-room")
        assert await room.refused("leader", key=room.key) == (1008, "no-room")
        assert room.server.health()["peers"] == 0


async def test_everyone_may_ask_for_the_time(tmp_path: Path, transport: Transport) -> None:
    """The question comes back with the room's time, which does not go back, and the boot."""
    async with a_class(tmp_path, transport) as room:
        peer, _ = await room.enter()
        answers = []
        for sent in (1.5, 2):
            await peer.send(type="time", sent=sent)
            answers.append(await until(peer, "time"))
        assert [answer["sent"] for answer in answers] == [1.5, 2]
        assert answers[0]["time"] <= answers[1]["time"]
        assert answers[0]["boot"] == answers[1]["boot"]


async def test_talk_makes_nobody_slow_who_is_away(tmp_path: Path, transport: Transport) -> None:
    """A thousand words while it was away: it comes back as who it was, and has the last ones."""
    async with a_class(tmp_path, TRANSPORTS["websocket"], **FAST) as room:
        # A thousand requests with a connection each are more than one address may have.
        speaker, _ = await room.enter()
        room.transport = transport
        away, answer = await room.enter()
        away.break_off()
        await until(speaker, "peer-disconnected", reason="away")
        for start in range(0, 1000, 50):
            for number in range(start, start + 50):
                await speaker.send(type="say", kind=CHAT, body=str(number))
            await until(speaker, "say", body=str(start + 49))
        back, again = await room.enter(resume=answer["resume"], heard=0)
        assert (again["id"], again["resumed"]) == (answer["id"], True)
        told = [(await until(back, "say"))["body"] for _ in range(KEPT)]
        assert told == [str(number) for number in range(1000 - KEPT, 1000)]


async def test_a_code_expires(
    tmp_path: Path, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour after the last peer has left, not before; nobody enters by it any more."""
    clock = [1000.0]
    async with a_class(tmp_path, transport) as room:
        monkeypatch.setattr(room.server.hub, "_clock", lambda: clock[0])
        peer, _ = await room.enter()
        await peer.leave()
        await peer.closed()
        clock[0] += 3599
        room.server.hub.tick()
        peer, _ = await room.enter()
        await peer.leave()
        await peer.closed()
        clock[0] += 3601
        room.server.hub.tick()
        assert await room.refused() == (1008, "no-room")


async def test_a_code_that_was_never_made_opens_nothing(
    tmp_path: Path, transport: Transport
) -> None:
    """Nor does a room's own code, for a kind of room that it is not."""
    async with a_class(tmp_path, transport) as room:
        assert await room.refused(room="abc-defg-hjk") == (1008, "no-room")
        assert await room.refused(roomType="attic") == (1008, "bad-field")
        assert await room.refused("leader") == (1008, "bad-key")


@asynccontextmanager
async def restarted(
    folder: Path, transport: Transport, prepare: Callable[[Class], Any]
) -> AsyncIterator[tuple[Class, Any]]:
    """A server is stopped once `prepare` is done, and another one started in its place."""
    async with AsyncExitStack() as stack:
        async with served(folder) as server:
            room = Class(server, transport, stack)
            before = await prepare(room)
            ports = (server.port, server.local_port)
        async with served(folder, ports=ports) as server, AsyncExitStack() as later:
            room.server, room._stack = server, later
            yield room, before


async def test_a_document_outlives_the_server(tmp_path: Path, transport: Transport) -> None:
    """A client comes back with its token alone and hands the newest version back; all are told,
    and the next change follows it."""

    async def prepare(room: Class) -> Any:
        peer, answer = await room.enter()
        other, others = await room.enter()
        await write(peer, 0, {"text": "é😀", "number": 1.0})
        newest = await write(peer, 1, {"text": "kept", "number": 1e21})
        await until(other, "document", version=2)
        return answer, others, newest

    async with restarted(tmp_path, transport, prepare) as (room, (answer, others, newest)):
        back, again = await room.enter(resume=answer["resume"])
        other, _ = await room.enter(resume=others["resume"])
        assert (again["id"], again["resumed"]) == (answer["id"], True)
        assert (await until(back, "document", name=BOARD))["version"] == 0
        await back.send(**newest)
        assert await until(back, "document", name=BOARD, version=2) == newest
        assert await until(other, "document", name=BOARD, version=2) == newest
        assert (await write(other, 2, {"text": "next"}))["version"] == 3


async def test_a_forged_document_is_refused(tmp_path: Path, transport: Transport) -> None:
    """After a restart too the room has what it had; the client is told why."""

    async def prepare(room: Class) -> Any:
        peer, answer = await room.enter()
        return answer, await write(peer, 0, {"text": "true"})

    async with restarted(tmp_path, transport, prepare) as (room, (answer, newest)):
        back, _ = await room.enter(resume=answer["resume"])
        for forged in (
            {**newest, "value": {"text": "false"}},
            {**newest, "version": 9},
            {**newest, "seal": "x" * 43},
            {name: value for name, value in newest.items() if name != "seal"},
        ):
            await back.send(**forged)
            assert (await until(back, "error"))["code"] == "bad-seal"
        await back.send(**newest)
        assert await until(back, "document", version=1) == newest


async def test_who_was_put_out_stays_out_after_a_restart(
    tmp_path: Path, transport: Transport
) -> None:
    """The server still knows that its token is worth nothing; whoever was there hands back that it
    is out."""

    async def prepare(room: Class) -> Any:
        leader, leads = await room.enter("leader")
        _bad, answer = await room.enter()
        await leader.send(type="role", to=answer["id"], role=None)
        await until(leader, "role")
        roles = await until(leader, "document", name="roles")
        return leads, answer, roles

    async with restarted(tmp_path, transport, prepare) as (room, (leads, answer, roles)):
        assert await room.refused(resume=answer["resume"]) == (1008, "no-room")
        leader, _ = await room.enter("leader", resume=leads["resume"])
        await leader.send(**roles)
        await until(leader, "document", name="roles", version=roles["version"])
        assert await room.refused(resume=answer["resume"]) == (1008, "removed")


async def post(server: SignalingServer, body: bytes, *headers: str) -> tuple[int, dict[str, Any]]:
    """POST /api/rooms: the status, and the answer."""
    place = f"127.0.0.1:{server.local_port}"
    message = request("/api/rooms", *headers, method="POST", host=place, body=body)
    status, found, answer = await ask(server.local_port, message)
    assert found["cache-control"] == "no-store"
    made: dict[str, Any] = json.loads(answer)
    return status, made


KIND = b'{"type": "classroom"}'
ELSEWHERE = "X-Forwarded-For: 203.0.113.9"


async def test_a_room_is_made_for_whoever_asks_here(tmp_path: Path, transport: Transport) -> None:
    """POST /api/rooms answers with the code and a link for each role that has a page."""
    async with a_class(tmp_path, transport) as room:
        status, made = await post(room.server, KIND)
        assert (status, set(made["links"])) == (201, {"leader", "member"})
        links = {role: read_link(link) for role, link in made["links"].items()}
        assert {link.room for link in links.values()} == {made["room"]}
        assert links["member"].key is None
        room.room, room.key = made["room"], links["leader"].key
        _, answer = await room.enter()
        assert (answer["room"], answer["role"]) == (made["room"], "member")
        _, answer = await room.enter("leader")
        assert answer["role"] == "leader"


@pytest.mark.parametrize("trusted", [False, True])
async def test_a_room_is_not_made_for_another_address(tmp_path: Path, trusted: bool) -> None:
    """What a proxy passes on is not from here, whether the proxy is trusted or not; with the key
    of somebody who leads a room it is allowed."""
    async with served(tmp_path, trusted=trusted) as server:
        made = server.new_room("classroom")
        leader = read_link(made["links"]["leader"])
        for headers in (
            [],
            ["Authorization: Bearer"],
            ["Authorization: Bearer x.y"],
            [f"Authorization: Bearer {made['room']}."],
            [f"Authorization: Basic {leader.room}.{leader.key}"],
            [f"Authorization: Bearer abc.{leader.key}"],
            [f"Authorization: Bearer {server.sender_link.partition('#')[2]}"],
        ):
            status, answer = await post(server, KIND, ELSEWHERE, *headers)
            assert (status, answer["code"]) == (403, "bad-key")
        bearer = f"Authorization: Bearer {leader.room}.{leader.key}"
        status, answer = await post(server, KIND, ELSEWHERE, bearer)
        assert (status, set(answer["links"])) == (201, {"leader", "member"})


async def test_wrong_keys_for_a_room_are_counted(tmp_path: Path) -> None:
    """Past the limit an address has to wait, as at the door, and /metrics shows it; the right key
    still makes a room."""
    async with served(tmp_path, failed_keys_per_minute=2) as server:
        found = [(await post(server, KIND, ELSEWHERE))[0] for _ in range(4)]
        assert found == [403, 403, 403, 429]
        leader = read_link(server.new_room("classroom")["links"]["leader"])
        bearer = f"Authorization: Bearer {leader.room}.{leader.key}"
        assert (await post(server, KIND, ELSEWHERE, bearer))[0] == 201
        figures = server.metrics.text().decode()
        assert 'lenscast_refusals_total{code="bad-key"} 3.0' in figures
        assert 'lenscast_refusals_total{code="too-many-attempts"} 1.0' in figures
        assert "lenscast_waiting_addresses 1.0" in figures


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "bad-json"),
        (b"\xff", "bad-json"),
        (b"[" * 5000, "bad-json"),
        (b"[]", "bad-field"),
        (b'"classroom"', "bad-field"),
        (b'{"type": 1}', "bad-field"),
        (b'{"type": "attic"}', "bad-field"),
    ],
)
async def test_a_room_that_cannot_be_is_not_made(tmp_path: Path, body: bytes, code: str) -> None:
    """Bad JSON, or a kind that is not there: 400, with the code and a sentence."""
    async with served(tmp_path) as server:
        status, answer = await post(server, body)
        assert (status, answer["code"]) == (400, code)
        assert answer["message"].endswith(".")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"type": null}'])
async def test_a_room_of_the_usual_kind_is_made_where_none_is_named(
    tmp_path: Path, body: bytes
) -> None:
    """Its links open it."""
    async with served(tmp_path) as server:
        status, made = await post(server, body)
        assert (status, set(made["links"])) == (201, {"sender", "receiver", "viewer"})
        assert all(read_link(link).key for link in made["links"].values())


async def test_a_full_server_makes_no_more_rooms(tmp_path: Path, transport: Transport) -> None:
    """503, with the code, where somebody has entered each of its rooms; one that nobody has ever
    entered gives way."""
    async with a_class(tmp_path, transport, max_rooms=1) as room:
        assert (await post(room.server, KIND))[0] == 201
        status, made = await post(room.server, KIND)
        assert status == 201
        room.room = made["room"]
        await room.enter()
        status, answer = await post(room.server, KIND)
        assert (status, answer["code"]) == (503, "server-full")
