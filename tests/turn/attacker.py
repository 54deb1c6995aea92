"""Clients of the embedded relay that can send any bytes: over UDP, TCP and TLS."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from typing import Any

from signaling.server import SignalingServer
from tests.signaling.transport.raw import SECONDS
from tests.turn.client import FakeClient, Peer, code, lifetime, request, signed, transport
from turn import stun
from turn.credentials import Credentials
from turn.embedded import EmbeddedTurn
from turn.stun import Attribute, Method

HOST = "127.0.0.1"


def relay_of(server: SignalingServer) -> EmbeddedTurn:
    """The relay of a server, which must have one."""
    assert isinstance(server.turn, EmbeddedTurn)
    return server.turn


class Datagrams(asyncio.DatagramProtocol):
    """Keeps the datagrams that arrive."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, _addr: Any) -> None:
        self.inbox.put_nowait(data)


class Attacker:
    """A client that sends any bytes, and knows what it needs to sign them.

    Attributes
    ----------
    others: everything that has come and was not an answer.
    """

    def __init__(self, turn: EmbeddedTurn) -> None:
        grant = turn.issue("attacker", "room", f"http://{HOST}", time.time())
        server = grant.ice_servers[0]
        credentials = Credentials(server["username"], server["credential"], 0)
        self.peer = Peer(FakeClient(), credentials)
        self.others: list[bytes] = []

    def send(self, data: bytes) -> None:
        """Send bytes unchanged; over UDP, as one datagram."""
        raise NotImplementedError

    async def answer(self, message: bytes) -> stun.Message:
        """Send a request and return its answer, however many other messages come first."""
        self.send(message)
        async with asyncio.timeout(SECONDS):
            while True:
                packet = await self._next()
                answer = stun.parse(packet)
                if answer is not None and answer.transaction == message[8:20]:
                    return answer
                self.others.append(packet)

    async def challenge(self) -> None:
        """Ask for a nonce."""
        nonce = (await self.answer(request(Method.ALLOCATE, [transport()]))).get(Attribute.NONCE)
        assert nonce
        self.peer.nonce = nonce

    async def allocate(self) -> int:
        """Allocate, and return the relayed port."""
        answer = await self.answer(signed(self.peer, Method.ALLOCATE, [transport()]))
        relayed = answer.get(Attribute.XOR_RELAYED_ADDRESS)
        assert relayed, code(answer)
        address = stun.read_xor_address(relayed, answer.transaction)
        assert address
        return address[1]

    async def finish(self) -> None:
        """Wait until the server has handled everything, then delete the allocation."""
        raise NotImplementedError

    async def _next(self) -> bytes:
        raise NotImplementedError


class UdpAttacker(Attacker):
    """Sends each message as a datagram."""

    def __init__(
        self, turn: EmbeddedTurn, sending: asyncio.DatagramTransport, receiving: Datagrams
    ) -> None:
        super().__init__(turn)
        self._sending = sending
        self._receiving = receiving

    def send(self, data: bytes) -> None:
        self._sending.sendto(data)

    async def finish(self) -> None:
        await self.challenge()
        answer = await self.answer(signed(self.peer, Method.REFRESH, [lifetime(0)]))
        assert code(answer) in (0, 437)

    async def _next(self) -> bytes:
        return await self._receiving.inbox.get()


class StreamAttacker(Attacker):
    """Works over TCP or TLS; its allocation ends with its connection."""

    def __init__(
        self, turn: EmbeddedTurn, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(turn)
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def finish(self) -> None:
        # If the bytes announce more than comes, the server waits until the end of the stream.
        try:
            if self._writer.can_write_eof():
                self._writer.write_eof()
            else:
                self._writer.close()
            async with asyncio.timeout(SECONDS):
                while await self._reader.read(65536):
                    pass
        except TimeoutError:  # A subclass of OSError, below, but the only one that is a fault.
            raise
        except OSError:
            pass  # The server has already closed it.

    async def _next(self) -> bytes:
        head = await self._reader.readexactly(4)
        length = int.from_bytes(head[2:], "big")
        rest = length + 16 if head[0] < 0x40 else length + -length % 4
        return head + await self._reader.readexactly(rest)


def trusting() -> ssl.SSLContext:
    """A client's TLS context that accepts any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.asynccontextmanager
async def attacker(server: SignalingServer, by: str) -> AsyncIterator[Attacker]:
    """Connect an attacker of its own."""
    turn = relay_of(server)
    if by == "udp":
        sending, receiving = await asyncio.get_running_loop().create_datagram_endpoint(
            Datagrams, remote_addr=(HOST, server.port)
        )
        try:
            yield UdpAttacker(turn, sending, receiving)
        finally:
            sending.abort()
    else:
        reader, writer = await asyncio.open_connection(
            HOST, server.port, ssl=trusting() if by == "tls" else None
        )
        try:
            yield StreamAttacker(turn, reader, writer)
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):  # What ended the connection is nobody's mistake.
                await asyncio.wait_for(writer.wait_closed(), SECONDS)
