"""The peer connections of one peer: a session for each remote peer.

Owns the life of the RTCPeerConnections, ICE servers, and trickled candidates; what a session
negotiates is not decided here.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceServer,
    RTCSessionDescription,
)
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from aiortc.rtcicetransport import parse_stun_turn_uri

from lenscast.peers import description, ice
from lenscast.peers.connection import GuardedConnection
from lenscast.peers.description import BadDescription, Described
from lenscast.peers.tasks import Tasks
from signaling.room.messages import Answer, IceCandidate, IceServer, Offer

log = logging.getLogger(__name__)

RENEWAL_SECONDS = 1.0
"""The least time between two sessions with one peer, when it asks for another one or they fail."""
INBOX = 64

# What tells one connection from another: the session's id (RFC 8866 5.2), its certificates
# (RFC 8122 5), and the name that each generation of ICE has (RFC 8839 5.4).
_IDENTITY = re.compile(r"^(o=\S+ \S+|a=fingerprint:.*\S|a=ice-ufrag:.*\S)", re.MULTILINE)


class SessionFailed(Exception):
    """The connection with one remote peer cannot be made; the sentence says why."""


class Session:
    """One peer connection with one remote peer.

    Attributes
    ----------
    peer_id: the remote peer's id.
    offers: whether this side makes the offers, and the other one answers.
    connection: its RTCPeerConnection.
    drop: ends this session; takes the reason to log, or None where none is needed.
    begun: when it began, in seconds of the event loop's clock.
    """

    def __init__(
        self,
        peer_id: str,
        configuration: RTCConfiguration,
        drop: Callable[[str | None], None],
        tasks: Tasks,
        *,
        offers: bool,
    ) -> None:
        self.peer_id = peer_id
        self.offers = offers
        self.connection = GuardedConnection(configuration, self._on_stumbled)
        self.drop = drop
        self.begun = asyncio.get_running_loop().time()
        self._tasks = tasks
        self._inbox: asyncio.Queue[Offer | Answer | IceCandidate] = asyncio.Queue(INBOX)
        self._helpers: list[asyncio.Task[None]] = []
        self._remote: frozenset[str] | None = None
        self._offer: Described | None = None
        self._candidates = 0
        self.connection.on("connectionstatechange", self._on_state)

    def hand(self, message: Offer | Answer | IceCandidate) -> None:
        """Take a message from the remote peer."""
        try:
            self._inbox.put_nowait(message)
        except asyncio.QueueFull:
            self.drop("it sends messages faster than they can be dealt with")

    def continues(self, offer: Offer) -> bool:
        """Whether an offer is for this connection, and not for another one with the same peer.

        aiortc has no ICE restart: an offer that asks for one is for another connection too.
        """
        remote = frozenset(_IDENTITY.findall(offer.sdp))
        self._remote = self._remote or remote
        return self._remote == remote

    async def next(self) -> Offer | Answer | IceCandidate:
        """The next message from the remote peer."""
        return await self._inbox.get()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run something for as long as this session lasts."""
        self._helpers.append(self._tasks.start(work, name))

    async def describe(self) -> str:
        """Make this side's description, with all its candidates in it.

        Returns
        -------
        Its SDP: an answer after an offer, an offer otherwise.

        Raises
        ------
        SessionFailed: none can be made.
        """
        try:
            await ice.gather(self.connection)
            await self.connection.setLocalDescription()
            sdp = self.connection.localDescription.sdp
        except Exception as error:  # aiortc checks some of what it was offered only now.
            raise SessionFailed(f"no description could be made ({_name(error)})") from error
        if self._offer is not None:
            sdp = self._offer.answer(sdp)
        if len(sdp.encode()) > description.MAX_BYTES:
            raise SessionFailed("the description for it is longer than a server forwards")
        return sdp

    async def apply(self, message: Offer | Answer) -> None:
        """Set the remote peer's description.

        Raises
        ------
        SessionFailed: it cannot be used.
        """
        try:
            described = description.read(message.sdp)
        except BadDescription as error:
            raise SessionFailed(f"its {message.type} is unusable: {error}") from error
        try:
            await self.connection.setRemoteDescription(
                RTCSessionDescription(described.sdp, message.type)
            )
        except Exception as error:  # aiortc checks with assert, next() and whatever else.
            raise SessionFailed(f"its {message.type} is unusable ({_name(error)})") from error
        if isinstance(message, Offer):
            self._offer = described
        for candidate in described.candidates:
            await self._add(candidate)
        if described.complete:
            await self._add(None)

    async def add(self, message: IceCandidate) -> None:
        """Add a candidate. One that cannot be used is passed over: it does no harm."""
        init = message.candidate
        if init is None or not init["candidate"]:
            await self._add(None)
            return
        place = init["sdpMid"], init["sdpMLineIndex"]
        candidate = description.read_candidate(init["candidate"], *place)
        if candidate is not None and place != (None, None):
            await self._add(candidate)

    async def _add(self, candidate: RTCIceCandidate | None) -> None:
        if candidate is not None:
            self._candidates += 1
            if self._candidates > description.MAX_CANDIDATES:
                return
        try:
            await self.connection.addIceCandidate(candidate)
        except Exception as error:  # noqa: BLE001 - aioice's checks raise anything
            log.info("passed over a candidate of %s (%s)", self.peer_id, _name(error))

    async def close(self) -> None:
        """Close the connection, within a second."""
        for helper in self._helpers:
            helper.cancel()
        await ice.close(self.connection)

    def _on_stumbled(self, error: BaseException) -> None:
        log.info("in the background of a connection with %s: %s", self.peer_id, _name(error))
        self.drop(f"what it sent could not be used ({_name(error)})")

    def _on_state(self) -> None:
        state = self.connection.connectionState
        if state == "failed":
            self.drop("no packets get through")
        elif state == "closed":
            self.drop(None)


class Sessions:
    """The sessions of one peer, by the remote peer's id.

    Parameters
    ----------
    tasks: runs them.
    serve: what a session does until it is cancelled.
    ice_servers: as `registered` and `turn-config` carry them; assign to change them.
    relay_only: connect through a TURN relay only.
    on_failed: called with a session that has ended because no packets get through.
    """

    def __init__(
        self,
        tasks: Tasks,
        serve: Callable[[Session], Coroutine[Any, Any, None]],
        ice_servers: Iterable[IceServer],
        *,
        relay_only: bool,
        on_failed: Callable[[Session], None] = lambda _session: None,
    ) -> None:
        self.ice_servers = tuple(ice_servers)
        self._tasks = tasks
        self._serve = serve
        self._relay_only = relay_only
        self._on_failed = on_failed
        self._sessions: dict[str, tuple[Session, asyncio.Task[None]]] = {}
        self._begun: dict[str, float] = {}  # When the latest one with each peer was, for a second.
        self._held: dict[str, list[Offer | Answer | IceCandidate]] = {}

    def __bool__(self) -> bool:
        return bool(self._sessions)

    def __contains__(self, peer_id: str) -> bool:
        return peer_id in self._sessions

    def begin(self, peer_id: str, *, offers: bool) -> None:
        """Start a session with a peer; one that there was with it ends.

        Parameters
        ----------
        peer_id: the remote peer's id.
        offers: whether this side makes the offers.
        """
        self.end(peer_id)
        now = asyncio.get_running_loop().time()
        recent = {id_: then for id_, then in self._begun.items() if now - then < RENEWAL_SECONDS}
        self._begun = {**recent, peer_id: now}
        configuration = self._configuration(offers=offers)
        session = Session(
            peer_id,
            configuration,
            lambda why: self._drop(session, why),
            self._tasks,
            offers=offers,
        )
        self._sessions[peer_id] = session, self._tasks.start(self._run(session), f"peer {peer_id}")

    def renew(self, peer_id: str) -> None:
        """Offer another session to a peer that asks for it, unless one has only just begun."""
        if not self._wait(peer_id):
            self.begin(peer_id, offers=True)

    def answer(self, peer_id: str, offer: Offer) -> None:
        """Give an offer to the session with a peer. Where it is for another one, that begins; but
        of many within a second only the first and the last one do."""
        if peer_id in self and self._sessions[peer_id][0].continues(offer):
            self._held.pop(peer_id, None)
            self._sessions[peer_id][0].hand(offer)
        elif wait := self._wait(peer_id):
            if peer_id not in self._held:
                self._tasks.start(self._answer_held(peer_id, wait), f"an offer of {peer_id}")
            self._held[peer_id] = [offer]
        else:
            self._answer(peer_id, [offer])

    def hand(self, message: Offer | Answer | IceCandidate) -> None:
        """Give a message to the session that it is for; if that has ended, drop it."""
        if message.from_ in self._held:
            if len(self._held[message.from_]) < INBOX:
                self._held[message.from_].append(message)
        elif message.from_ in self._sessions:
            self._sessions[message.from_][0].hand(message)

    def end(self, peer_id: str) -> None:
        """End the session with a peer, if there is one."""
        self._held.pop(peer_id, None)
        if peer_id in self._sessions:
            _, task = self._sessions.pop(peer_id)
            task.cancel()

    def end_all(self) -> None:
        """End all sessions."""
        for peer_id in list(self._sessions):
            self.end(peer_id)

    def _wait(self, peer_id: str) -> float:
        """How many seconds it takes until another session may begin with a peer."""
        last = self._begun.get(peer_id, -RENEWAL_SECONDS)
        return max(0.0, last + RENEWAL_SECONDS - asyncio.get_running_loop().time())

    async def _answer_held(self, peer_id: str, wait: float) -> None:
        await asyncio.sleep(wait)
        if held := self._held.pop(peer_id, None):
            self._answer(peer_id, held)

    def _answer(self, peer_id: str, messages: Iterable[Offer | Answer | IceCandidate]) -> None:
        self.begin(peer_id, offers=False)
        session, _task = self._sessions[peer_id]
        for message in messages:
            if isinstance(message, Offer):
                session.continues(message)
            session.hand(message)

    async def _run(self, session: Session) -> None:
        try:
            await self._serve(session)
        except SessionFailed as error:
            self._drop(session, str(error))
        finally:
            if self._is_current(session):
                del self._sessions[session.peer_id]
            self._tasks.start_closing(session.close(), f"closing {session.peer_id}")

    def _drop(self, session: Session, why: str | None) -> None:
        if not self._is_current(session):
            return
        if why is not None:
            log.warning("the connection with %s has ended: %s", session.peer_id, why)
        self.end(session.peer_id)
        if session.connection.connectionState == "failed":
            self._on_failed(session)

    def _is_current(self, session: Session) -> bool:
        current = self._sessions.get(session.peer_id)
        return current is not None and current[0] is session

    def _configuration(self, *, offers: bool) -> RTCConfiguration:
        policy = RTCIceTransportPolicy.RELAY if self._relay_only else RTCIceTransportPolicy.ALL
        # Without a list aiortc would ask a public STUN server.
        servers = [server for entry in self.ice_servers for server in _servers(entry)]
        # Sound and picture by one path, as every browser does. Whoever answers learns that only
        # from the offer: with another policy aiortc would take the wrong section for the first one,
        # or close the path of a second section of one kind.
        bundle = RTCBundlePolicy.MAX_BUNDLE if offers else RTCBundlePolicy.MAX_COMPAT
        return RTCConfiguration(iceServers=servers, iceTransportPolicy=policy, bundlePolicy=bundle)


def _name(error: BaseException) -> str:
    """The kind of an error. Its text may quote what the remote peer sent, keys included."""
    # A coroutine cannot let a StopIteration out as it is (PEP 479).
    cause = error.__cause__
    return type(cause if isinstance(cause, StopIteration) else error).__name__


def _servers(entry: IceServer) -> list[RTCIceServer]:
    urls = entry.get("urls", [])
    usable = [url for url in ([urls] if isinstance(urls, str) else urls) if _readable(url)]
    if not usable:
        return []
    return [RTCIceServer(usable, entry.get("username"), entry.get("credential"))]


def _readable(url: str) -> bool:
    try:
        parse_stun_turn_uri(url)
    except ValueError:  # With one that it cannot read, every connection would fail.
        log.warning("aiortc cannot use the ICE server %s", url)
        return False
    return True
