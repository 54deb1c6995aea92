"""Both peers in Python take whatever descriptions and candidates a remote peer sends.

LENSCAST_FUZZ_EXAMPLES sets how many examples are tried against each.
"""

import asyncio
import contextlib
import gc
import itertools
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lenscast.peers import ice
from lenscast.peers.connection import GuardedConnection
from lenscast.peers.member import Member
from lenscast.peers.receiver import Receiver
from lenscast.peers.sender import Sender
from tests.lenscast.numbered_picture import MadePicture
from tests.lenscast.peers.mutations import (
    ANSWERS,
    OFFERS,
    Change,
    candidates,
    changed,
    changes,
    descriptions,
)
from tests.lenscast.peers.scripted import SECONDS, ScriptedTransport, until

EXAMPLES = int(os.environ.get("LENSCAST_FUZZ_EXAMPLES", "50"))
CONNECTED_SHARE = 10
"""For each so many examples there is one with a remote peer that really connects."""
# Not shrunk: an example that fails by a timeout would fail for minutes.
MANY = settings(
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
SETTLING_SECONDS = 0.02
"""For what goes on in the background once a description is applied."""
CONNECTING_SECONDS = 0.5

Example = Callable[..., Coroutine[Any, Any, None]]


async def run_examples(
    once: Example, count: int = EXAMPLES, **strategies: st.SearchStrategy[Any]
) -> None:
    """Let hypothesis, which cannot await, try `once` with many values in this event loop."""
    loop = asyncio.get_running_loop()

    @settings(MANY, max_examples=count)
    @given(**strategies)
    def examples(**values: Any) -> None:
        asyncio.run_coroutine_threadsafe(once(**values), loop).result(3 * SECONDS)

    await asyncio.to_thread(examples)


@contextlib.asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """No error is lost in the background of what runs here; no thread and no task is left."""
    loop = asyncio.get_running_loop()
    lost: list[dict[str, Any]] = []
    previous = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: lost.append(context))
    threads = decoders()
    tasks = asyncio.all_tasks()
    try:
        yield
        gc.collect()  # A task that has failed unseen says so when it is collected.
        await asyncio.sleep(0)
        assert lost == []
        await until(lambda: decoders() == threads)
        await until(lambda: asyncio.all_tasks() <= tasks)
    finally:
        loop.set_exception_handler(previous)


def decoders() -> set[threading.Thread]:
    """The threads in which aiortc decodes."""
    return {thread for thread in threading.enumerate() if "decoder" in thread.name}


async def feed(
    peer: Member, server: ScriptedTransport, remote: str, messages: list[dict[str, Any]]
) -> None:
    """Say these messages as a remote peer; the session with it ends, or takes them all."""
    for message in messages:
        server.say(**message, **{"from": remote})
    sessions = peer._sessions._sessions
    await until(
        lambda: (
            server._said.empty() and (remote not in sessions or sessions[remote][0]._inbox.empty())
        )
    )
    await asyncio.sleep(SETTLING_SECONDS)
    assert not peer._tasks.over


def as_messages(kind: str, sdp: str, lines: list[str]) -> list[dict[str, Any]]:
    """A description and candidates, as the server forwards them."""
    trickled = [{"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0} for line in lines]
    return [
        {"kind": kind, "sdp": sdp},
        *({"kind": "ice-candidate", "candidate": init} for init in trickled),
    ]


async def test_no_offer_ends_a_receiver() -> None:
    """Whatever a sender offers ends at most the session with it."""
    server = ScriptedTransport("receiver")
    names = itertools.count()
    async with nothing_left(), Receiver(server.link, transport=server) as receiver:

        async def offered(sdp: str, lines: list[str], again: str | None) -> None:
            remote = f"sender-{next(names)}"
            server.say("peer-connected", peer="sender", id=remote, offers=False)
            await feed(receiver, server, remote, as_messages("offer", sdp, lines))
            if again is not None:
                await feed(receiver, server, remote, as_messages("offer", again, []))
            server.say("peer-disconnected", peer="sender", id=remote, reason="left")
            await until(lambda: remote not in receiver.senders)

        mutated = descriptions(OFFERS)
        again = st.one_of(st.none(), st.none(), mutated)
        await run_examples(offered, sdp=mutated, lines=candidates(), again=again)


async def test_no_answer_ends_a_sender() -> None:
    """Whatever a receiver answers ends at most the session with it."""
    server = ScriptedTransport("sender")
    names = itertools.count()
    picture = MadePicture(320, 240, 15)
    async with nothing_left(), Sender(server.link, picture, transport=server) as sender:

        async def answered(sdp: str, lines: list[str]) -> None:
            remote = f"receiver-{next(names)}"
            server.say("peer-connected", peer="receiver", id=remote, offers=True)
            await server.told("offer")
            await feed(sender, server, remote, as_messages("answer", sdp, lines))
            server.say("peer-disconnected", peer="receiver", id=remote, reason="left")
            await until(lambda: remote not in sender._sessions)

        await run_examples(answered, sdp=descriptions(ANSWERS), lines=candidates())


@contextlib.asynccontextmanager
async def attacker() -> AsyncIterator[RTCPeerConnection]:
    """A remote peer with a connection of its own, which stumbles unheard."""
    connection = GuardedConnection(RTCConfiguration(iceServers=[]), lambda _error: None)
    try:
        yield connection
    finally:
        await ice.close(connection)


async def answer_or_end(peer: Member, server: ScriptedTransport, remote: str) -> str | None:
    """The answer to a remote peer; None where its session has ended without one."""
    async with asyncio.timeout(SECONDS):
        while remote in peer._sessions:
            while not server.sent.empty():
                message = server.sent.get_nowait()
                if message["type"] == "answer" and message["to"] == remote:
                    return str(message["sdp"])
            await asyncio.sleep(0.002)
    return None


async def connects(
    peer: Member, connection: RTCPeerConnection, remote: str, text: str, kind: str
) -> None:
    """Let a remote peer connect as far as it gets: until its session ends, or media may flow."""
    with contextlib.suppress(Exception):  # What it is told may fit nothing that it has said.
        await connection.setRemoteDescription(RTCSessionDescription(text, kind))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CONNECTING_SECONDS):
            while remote in peer._sessions and connection.connectionState != "connected":
                await asyncio.sleep(0.01)
    await asyncio.sleep(SETTLING_SECONDS)
    assert not peer._tasks.over


async def test_no_sender_that_connects_ends_a_receiver() -> None:
    """What aiortc looks at only once a connection is there ends that connection alone."""
    server = ScriptedTransport("receiver")
    names = itertools.count()
    async with nothing_left(), Receiver(server.link, transport=server) as receiver:

        async def offered(bent: list[Change]) -> None:
            remote = f"sender-{next(names)}"
            server.say("peer-connected", peer="sender", id=remote, offers=False)
            async with attacker() as connection:
                connection.addTransceiver(MadePicture(128, 64, 15), "sendonly")
                await connection.setLocalDescription()
                offer = changed(connection.localDescription.sdp, bent)
                await feed(receiver, server, remote, as_messages("offer", offer, []))
                answer = await answer_or_end(receiver, server, remote)
                if answer is not None:
                    await connects(receiver, connection, remote, answer, "answer")
                server.say("peer-disconnected", peer="sender", id=remote, reason="left")
                await until(lambda: remote not in receiver.senders)

        await run_examples(offered, EXAMPLES // CONNECTED_SHARE, bent=changes())


async def test_no_receiver_that_connects_ends_a_sender() -> None:
    """What aiortc looks at only once a connection is there ends that connection alone."""
    server = ScriptedTransport("sender")
    names = itertools.count()
    picture = MadePicture(320, 240, 15)
    async with nothing_left(), Sender(server.link, picture, transport=server) as sender:

        async def answered(bent: list[Change]) -> None:
            remote = f"receiver-{next(names)}"
            server.say("peer-connected", peer="receiver", id=remote, offers=True)
            offer = await server.told("offer")
            async with attacker() as connection:
                await connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
                await connection.setLocalDescription()
                answer = changed(connection.localDescription.sdp, bent)
                await feed(sender, server, remote, as_messages("answer", answer, []))
                await connects(sender, connection, remote, "", "answer")
                server.say("peer-disconnected", peer="receiver", id=remote, reason="left")
                await until(lambda: remote not in sender._sessions)

        await run_examples(answered, EXAMPLES // CONNECTED_SHARE, bent=changes())
