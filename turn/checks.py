"""Checks a STUN or TURN server from a browser's point of view.

Owns the requests to the server, and what an answer or a missing answer means. Says what is wrong,
but not what to do about it: that depends on who runs the server.
"""

import asyncio
import math
import re
import secrets
import socket
import ssl
import statistics
import struct
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from aioice import stun
from aioice.turn import (
    UDP_TRANSPORT,
    TurnClientTcpProtocol,
    TurnClientUdpProtocol,
    make_integrity_key,
)

from turn.quiet import keep_quiet

T = TypeVar("T")

keep_quiet()

ANSWER_SECONDS = 3.0
"""How long each answer may take."""

PACKETS = 100
PACKET_BYTES = 1000
PACKETS_PER_SECOND = 100
LINGER_SECONDS = 1.0
"""How long to wait for late packets after sending the last one."""

_LEAVE_SECONDS = 0.5
_PORTS_TRIED = 10  # Until one is not among the relay's.
_LIFETIME = 600  # In seconds; the shortest that servers grant (RFC 8656 7.2).

# RFC 7064 and RFC 7065. One bad URL makes a browser refuse the whole configuration.
_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):(?P<host>\[[0-9a-f:.]+\]|[^\s:?/@\[\]]+)(:(?P<port>\d{1,5}))?"
    r"(\?transport=(?P<transport>udp|tcp))?",
    re.IGNORECASE,
)


class Fault(StrEnum):
    """What can be wrong with a server."""

    BAD_URL = "bad-url"
    UNKNOWN_HOST = "unknown-host"
    REFUSED = "refused"
    SILENT = "silent"
    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    CREDENTIALS = "credentials"
    FORBIDDEN = "forbidden"
    FULL = "full"
    NO_PACKETS = "no-packets"
    OPEN = "open"
    ERROR = "error"


class CheckError(Exception):
    """A server failed a check.

    Parameters
    ----------
    fault: the kind of fault, for programs.
    detail: what happened, for a person: the rest of a sentence that begins with the server's
        name. It holds no secret.
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


@dataclass(frozen=True)
class ServerUrl:
    """The parts of an ICE server's URL. `transport` is `udp` or `tcp`."""

    text: str
    scheme: str
    host: str
    port: int
    transport: str

    @property
    def relays(self) -> bool:
        """Whether this is a TURN server."""
        return self.scheme in ("turn", "turns")

    @property
    def secure(self) -> bool:
        """Whether the server is reached over TLS."""
        return self.scheme in ("stuns", "turns")


@dataclass(frozen=True)
class Measurement:
    """How packets got through a relay. Times are in seconds, from sending to coming back."""

    sent: int
    received: int
    median: float
    p95: float

    @property
    def loss(self) -> float:
        """The share of packets that did not come back, from 0 to 1."""
        return 1 - self.received / self.sent


def parse(url: str) -> ServerUrl:
    """Split a URL into its parts.

    Raises
    ------
    CheckError: with Fault.BAD_URL, if a browser would refuse the URL too.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise CheckError(Fault.BAD_URL, "is not the URL of a STUN or TURN server")
    scheme = match["scheme"].lower()
    secure = scheme.endswith("s")
    if match["transport"] and scheme.startswith("stun"):
        raise CheckError(Fault.BAD_URL, "names a transport, which is not allowed for STUN")
    transport = (match["transport"] or ("tcp" if secure else "udp")).lower()
    if secure and transport == "udp":
        raise CheckError(Fault.BAD_URL, "is TURN over DTLS, which browsers do not support")
    port = int(match["port"] or (5349 if secure else 3478))
    if not 1 <= port <= 65535:
        raise CheckError(Fault.BAD_URL, "does not have a port from 1 to 65535")
    return ServerUrl(url, scheme, match["host"].strip("[]"), port, transport)


async def mapped_address(server: ServerUrl, *, tls: ssl.SSLContext | None = None) -> str:
    """Ask a server which address it sees this computer at (a STUN Binding request).

    Parameters
    ----------
    tls: for servers over TLS; None: use the system's certificate authorities.

    Raises
    ------
    CheckError: the server does not answer, or its answer holds no address.
    """
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    async with _client(server, None, None, tls) as client:
        with _errors_as_faults():
            response, _ = await _answer(client, client.request(request))
        for name in ("XOR-MAPPED-ADDRESS", "MAPPED-ADDRESS"):
            if name in response.attributes:
                return str(response.attributes[name][0])
    raise CheckError(Fault.ERROR, "answered a STUN request without an address")


async def measure(
    server: ServerUrl,
    username: str | None,
    password: str | None,
    *,
    packets: int = PACKETS,
    tls: ssl.SSLContext | None = None,
) -> Measurement:
    """Make two allocations and send packets between their relayed addresses, both ways.

    This takes about a second for 100 packets. A relay must always offer this path: if two peers
    can reach nothing but the relay, they meet there.

    Parameters
    ----------
    username, password: the credentials; None if the server's entry has none.
    packets: how many to send; each has 1000 bytes, and 100 are sent per second.
    tls: the same as for `mapped_address`.

    Raises
    ------
    CheckError: a step failed, or no packet came back.
    """
    async with (
        _client(server, username, password, tls) as one,
        _client(server, username, password, tls) as other,
    ):
        with _errors_as_faults():
            to_one = await _answer(one, one.connect())
            to_other = await _answer(other, other.connect())
            loop = _Loop(packets)
            one.receiver = other.receiver = loop
            # Sending binds a channel, and data from the other side gets through only after that.
            await _answer(one, one.send_data(b"", to_other))
            await _answer(other, other.send_data(b"", to_one))
            await loop.run([(one, to_other), (other, to_one)])
    return loop.measurement()


async def refuses_strangers(
    server: ServerUrl, username: str | None, *, tls: ssl.SSLContext | None = None
) -> None:
    """Make sure that the server refuses clients without credentials or with a wrong password.

    Parameters
    ----------
    username: the user name of the valid credentials; None: do not try a wrong password.
    tls: the same as for `mapped_address`.

    Raises
    ------
    CheckError: with Fault.OPEN, if the server gives an allocation; with another fault, if it does
        not answer.
    """
    async with _client(server, None, None, tls) as client:
        challenge = await _refused(client, _allocate(), "without credentials")
        realm = challenge.attributes.get("REALM")
        nonce = challenge.attributes.get("NONCE")
        if username is None or realm is None or nonce is None:
            return
        guess = _allocate()
        guess.attributes |= {"USERNAME": username, "REALM": realm, "NONCE": nonce}
        guess.add_message_integrity(make_integrity_key(username, realm, secrets.token_urlsafe()))
        await _refused(client, guess, "with a wrong password")


async def reaches_this_host(
    server: ServerUrl,
    username: str | None,
    password: str | None,
    *,
    besides: range,
    tls: ssl.SSLContext | None = None,
) -> str | None:
    """Find out whether clients of a relay can send to any UDP port of this host.

    Parameters
    ----------
    username, password: the credentials; None if the server's entry has none.
    besides: the relay's own ports, which clients must reach.
    tls: the same as for `mapped_address`.

    Returns
    -------
    This host's address that they reach; None if they do not, or if the relay is on another host.

    Raises
    ------
    CheckError: there was no allocation.
    """
    async with _client(server, username, password, tls) as client:
        with _errors_as_faults():
            host, _port = await _answer(client, client.connect())
        listener = _listener(host, besides)
        if listener is None:
            return None
        knock = _Knock()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: knock, sock=listener)
        try:
            # This asks for the permission first, which a relay may refuse (403).
            await _answer(client, client.send_data(knock.word, listener.getsockname()))
            await asyncio.wait_for(knock.heard.wait(), LINGER_SECONDS)
        except (stun.TransactionError, CheckError, TimeoutError):
            return None
        finally:
            transport.close()
    return str(host)


class _Knock(asyncio.DatagramProtocol):
    """Waits for one packet."""

    def __init__(self) -> None:
        self.word = secrets.token_bytes(16)
        self.heard = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data == self.word:
            self.heard.set()


def _listener(host: str, besides: range) -> socket.socket | None:
    """A UDP socket on a free port of this host; None if the address is another host's."""
    for _ in range(_PORTS_TRIED):
        listener = socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM
        )
        try:
            listener.bind((host, 0))
        except OSError:
            listener.close()
            return None
        if listener.getsockname()[1] not in besides:
            listener.setblocking(False)
            return listener
        listener.close()
    return None


async def _refused(client: "_Client", request: stun.Message, how: str) -> stun.Message:
    """Return the error that refuses a request."""
    try:
        # The client has no key here, so it accepts an answer no matter who has signed it.
        response, _ = await _answer(client, client.request(request))
    except stun.TransactionFailed as failure:
        return failure.response
    except stun.TransactionError as failure:
        raise CheckError(Fault.SILENT, _SILENCE) from failure
    client.relayed_address = response.attributes.get("XOR-RELAYED-ADDRESS")
    raise CheckError(Fault.OPEN, f"gives an allocation {how}")


def _allocate() -> stun.Message:
    attributes = {"LIFETIME": _LIFETIME, "REQUESTED-TRANSPORT": UDP_TRANSPORT}
    return stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST, attributes=attributes)


class _Loop(asyncio.DatagramProtocol):
    """Numbered packets, and when each was sent and came back."""

    def __init__(self, packets: int) -> None:
        self._packets = packets
        # Random, to recognise our own packets; also hard to compress on the way.
        self._filling = secrets.token_bytes(PACKET_BYTES - 4)
        self._left: list[float] = []
        self._took: dict[int, float] = {}
        self._all_back = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        now = time.perf_counter()
        if data[4:] != self._filling:
            return
        (number,) = struct.unpack("!I", data[:4])
        self._took.setdefault(number, now - self._left[number])
        if len(self._took) == self._packets:
            self._all_back.set()

    async def run(self, ends: "list[tuple[_Client, tuple[str, int]]]") -> None:
        """Send from both ends in turn, then wait for late packets."""
        start = time.perf_counter()
        for number in range(self._packets):
            due = start + number / PACKETS_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            client, peer = ends[number % len(ends)]
            self._left.append(time.perf_counter())
            packet = struct.pack("!I", number) + self._filling
            await _answer(client, client.send_data(packet, peer))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_back.wait(), LINGER_SECONDS)

    def measurement(self) -> Measurement:
        """Return the result. Raises CheckError if no packet came back."""
        if not self._took:
            raise CheckError(
                Fault.NO_PACKETS, f"gave addresses, but none of {self._packets} packets came back"
            )
        took = sorted(self._took.values())
        p95 = took[math.ceil(0.95 * len(took)) - 1]
        return Measurement(self._packets, len(took), statistics.median(took), p95)


class _Noticing:
    """Adds to aioice's clients: a task that waits learns when the connection ends."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes | str, addr: tuple[str, int]) -> None:
        # aioice raises this if an attribute has the wrong length. The answer is unusable.
        with suppress(struct.error):
            super().datagram_received(data, addr)  # type: ignore[misc]

    def error_received(self, error: Exception) -> None:
        self.connection_lost(error)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(error)


class _UdpClient(_Noticing, TurnClientUdpProtocol):
    pass


class _TcpClient(_Noticing, TurnClientTcpProtocol):
    pass


_Client = _UdpClient | _TcpClient
_SILENCE = f"does not answer within {ANSWER_SECONDS:g} s"
_NOBODY = "refuses the connection: nothing listens on that port"


@asynccontextmanager
async def _client(
    server: ServerUrl, username: str | None, password: str | None, tls: ssl.SSLContext | None
) -> AsyncIterator[_Client]:
    """Connect a client, without an allocation. If it makes one, that is deleted at the end."""
    with _errors_as_faults():
        async with asyncio.timeout(ANSWER_SECONDS):
            transport, client = await _connect(server, username, password, tls)
    try:
        yield client
    finally:
        try:
            if client.relayed_address is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(client.delete(), _LEAVE_SECONDS)
        finally:
            transport.abort()


async def _connect(
    server: ServerUrl, username: str | None, password: str | None, tls: ssl.SSLContext | None
) -> tuple[asyncio.Transport | asyncio.DatagramTransport, _Client]:
    loop = asyncio.get_running_loop()
    address = await _resolve(server)
    to = (address, server.port)
    arguments = (to, username, password, _LIFETIME, _LIFETIME)
    if server.transport == "udp":
        return await loop.create_datagram_endpoint(lambda: _UdpClient(*arguments), remote_addr=to)
    if not server.secure:
        return await loop.create_connection(lambda: _TcpClient(*arguments), *to)
    context = tls or ssl.create_default_context()
    return await loop.create_connection(
        lambda: _TcpClient(*arguments), *to, ssl=context, server_hostname=server.host
    )


async def _resolve(server: ServerUrl) -> str:
    """Return an address of the server, IPv4 if there is one.

    This uses a thread of its own: at its end the event loop waits for its own threads, however
    long a name server does not answer.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[str] = loop.create_future()

    def tell(address: str | None) -> None:
        if found.done():
            return
        if address is None:
            found.set_exception(CheckError(Fault.UNKNOWN_HOST, "has a name that is not known"))
        else:
            found.set_result(address)

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
            address = str(min(answers, key=lambda a: a[0] != socket.AF_INET)[4][0])
        except (OSError, UnicodeError):
            address = None
        with suppress(RuntimeError):  # The loop has ended in the meantime.
            loop.call_soon_threadsafe(tell, address)

    threading.Thread(target=look_up, daemon=True).start()
    return await found


async def _answer(client: _Client, work: Coroutine[Any, Any, T]) -> T:
    """Run work that waits for the server's answer; stop when the connection ends."""
    task = asyncio.ensure_future(work)
    try:
        either: set[asyncio.Future[Any]] = {task, client.ended}
        await asyncio.wait(either, timeout=ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if not client.ended.done():
            raise CheckError(Fault.SILENT, _SILENCE)
        if isinstance(client.ended.result(), ConnectionRefusedError):
            raise CheckError(Fault.REFUSED, _NOBODY)
        raise CheckError(Fault.UNREACHABLE, "closes the connection")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextmanager
def _errors_as_faults() -> Iterator[None]:
    try:
        yield
    except stun.TransactionFailed as error:
        raise _refusal(error.response.error_code) from error
    except (TimeoutError, stun.TransactionTimeout) as error:
        raise CheckError(Fault.SILENT, _SILENCE) from error
    except ssl.SSLCertVerificationError as error:
        why = f"has a certificate that this computer refuses ({error.verify_message})"
        raise CheckError(Fault.CERTIFICATE, why) from error
    except ssl.SSLError as error:
        raise CheckError(Fault.CERTIFICATE, "does not complete a TLS handshake") from error
    except ConnectionRefusedError as error:
        raise CheckError(Fault.REFUSED, _NOBODY) from error
    except OSError as error:
        # For an answer that lacks an attribute, aioice raises ConnectionError without errno.
        if error.errno is None:
            raise CheckError(Fault.ERROR, "stops in the middle of an answer") from error
        raise CheckError(Fault.UNREACHABLE, f"cannot be reached ({error.strerror})") from error


def _refusal(code: int | None) -> CheckError:
    match code:
        case 401 | 441:
            return CheckError(Fault.CREDENTIALS, f"does not accept the credentials (error {code})")
        case 403:
            return CheckError(Fault.FORBIDDEN, "refuses to relay to its own address (error 403)")
        case 486 | 508:
            return CheckError(Fault.FULL, f"gives no more allocations (error {code})")
        case _:
            return CheckError(Fault.ERROR, f"answers with error {code}")
