"""Gathering candidates and closing with aioice, so that nothing is left behind.

aioice starts tasks of its own and keeps no hold of them: where gathering is cancelled, they go on
and leave sockets, timers and allocations open. So what needs the network is gathered here. This
is the one place that knows the private parts of aioice's connections.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from aioice import Candidate
from aioice.ice import (
    Connection,
    StunProtocol,
    TransportPolicy,
    relayed_candidate,
    server_reflexive_candidate,
)
from aioice.turn import TurnTransport
from aiortc import RTCIceGatherer, RTCIceTransport, RTCPeerConnection

log = logging.getLogger(__name__)

GATHERING_SECONDS = 5.0
CLOSE_SECONDS = 0.5
"""How long a TURN server has to answer that an allocation is deleted."""
CONNECT_SECONDS = 0.02
"""How often aioice's `connect` looks at its connectivity checks."""

_Gathered = tuple[Candidate, StunProtocol | None]


async def gather(peer: RTCPeerConnection) -> None:
    """Gather the candidates of a connection. It can be cancelled; it ends within 5 s.

    Parameters
    ----------
    peer: one whose local description is to be set next.
    """
    await asyncio.gather(*(_gather(transport.iceGatherer) for transport in _transports(peer)))


async def close(peer: RTCPeerConnection) -> None:
    """Close a connection and all that belongs to it, within a second."""
    connections = [transport._connection for transport in _transports(peer)]
    closing = asyncio.ensure_future(peer.close())
    # The list is taken now, since aioice empties its own.
    relays = [
        protocol.transport
        for connection in connections
        for protocol in connection._protocols
        if isinstance(protocol.transport, TurnTransport)
    ]
    await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
    if not closing.done() and relays:
        log.info("the TURN server does not answer; its allocation is left to expire")
        await _abandon(relays)
    try:
        await closing
    finally:
        await _end_consent(connections)


def _transports(peer: RTCPeerConnection) -> set[RTCIceTransport]:
    used = [transceiver.receiver.transport for transceiver in peer.getTransceivers()]
    if peer.sctp is not None:
        used.append(peer.sctp.transport)
    # A description that bundles sections which it does not have leaves aiortc without a transport.
    return {dtls.transport for dtls in used if dtls is not None}


async def _gather(gatherer: RTCIceGatherer) -> None:
    if gatherer.state != "new":
        return
    connection: Connection = gatherer._connection
    stun_server, connection.stun_server = connection.stun_server, None
    turn_server, connection.turn_server = connection.turn_server, None
    # The host candidates: they need no network.
    await _end([hosts := asyncio.ensure_future(gatherer.gather())])
    hosts.result()
    work: list[Coroutine[Any, Any, _Gathered]] = []
    if stun_server is not None:
        work += [
            server_reflexive_candidate(protocol, stun_server)
            for protocol in connection._protocols
            if ipaddress.ip_address(protocol.local_candidate.host).version == 4
        ]
    if turn_server is not None:
        work.append(_relayed(connection, turn_server))
    if not work:
        return
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.wait(tasks, timeout=GATHERING_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        try:
            await _end(tasks)
        finally:
            for task in tasks:
                _take(connection, task)


def _relayed(
    connection: Connection, turn_server: tuple[str, int]
) -> Coroutine[Any, Any, _Gathered]:
    return relayed_candidate(
        component=1,
        hide_related_address=connection._transport_policy == TransportPolicy.RELAY,
        protocol_factory=lambda: StunProtocol(connection),
        turn_server=turn_server,
        turn_username=connection.turn_username,
        turn_password=connection.turn_password,
        turn_ssl=connection.turn_ssl,
        turn_transport=connection.turn_transport,
    )


def _take(connection: Connection, task: "asyncio.Task[_Gathered]") -> None:
    """Add what a task has gathered, so that it is used, and closed with the connection."""
    if task.cancelled():
        return
    if (error := task.exception()) is not None:
        log.info("no candidate from a STUN or TURN server (%s)", type(error).__name__)
        return
    candidate, protocol = task.result()
    connection._local_candidates.append(candidate)
    if protocol is not None:
        connection._protocols.append(protocol)


async def _end(tasks: "Iterable[asyncio.Future[Any]]") -> None:
    """Wait until tasks have ended, however often the caller is cancelled meanwhile.

    Raises
    ------
    asyncio.CancelledError: the caller was cancelled.
    """
    cancelled = False
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


async def _abandon(relays: Sequence[TurnTransport]) -> None:
    """Close allocations without the answer of their server."""
    for relay in relays:
        relay.close()
    await asyncio.sleep(0)  # A task that is cancelled before it has begun would close nothing.
    for relay in relays:
        getattr(relay, "_TurnTransport__close_task").cancel()  # noqa: B009 (mypy)


async def _end_consent(connections: list[Connection]) -> None:
    """End the consent checks (RFC 7675) of connections that are closed.

    aioice's `connect` looks only every 20 ms whether it was closed. If the connectivity checks
    have succeeded by then, it goes on after `close` and asks for consent for ever.
    """
    await asyncio.sleep(CONNECT_SECONDS)
    for connection in connections:
        await connection.close()
