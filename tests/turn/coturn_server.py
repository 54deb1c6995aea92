"""A real coturn for tests, and clients of it.

Owns `running_coturn`, which runs the turnserver on the PATH from the files of turn.coturn,
`needs_turnserver`, and TURN clients built on aioice.
"""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aioice import stun
from aioice.turn import TurnClientTcpProtocol, TurnClientUdpProtocol

from tests.ports import free_ports
from turn import coturn
from turn.credentials import Credentials, ephemeral

needs_turnserver = pytest.mark.skipif(
    shutil.which("turnserver") is None, reason="coturn's turnserver is not on the PATH"
)

TurnClient = TurnClientUdpProtocol | TurnClientTcpProtocol

RELAY_PORTS = 80
_START_SECONDS = 20
_STOP_SECONDS = 5
_ASK_AGAIN_SECONDS = 0.05


@dataclass(frozen=True)
class RunningCoturn:
    """A turnserver that is ready, its files, and the address it listens on."""

    files: coturn.CoturnFiles
    address: str
    port: int
    min_port: int
    max_port: int
    pid: int
    log_file: Path
    client_ports: set[int] = field(default_factory=set)

    @property
    def secret_file(self) -> Path:
        """The file with the shared secret."""
        return self.files.secret_file

    @property
    def secret(self) -> str:
        """The shared secret."""
        return self.files.secret_file.read_text()

    @property
    def urls(self) -> tuple[str, ...]:
        """The TURN URIs, for UDP and for TCP."""
        return self.files.urls

    def config_lines(self) -> list[str]:
        """The lines of config.yaml that name this coturn."""
        return self.files.config_lines()

    def log(self) -> str:
        """Everything that it has printed so far."""
        return self.log_file.read_text()


@asynccontextmanager
async def running_coturn(
    directory: Path, address: str = "127.0.0.1", *more_addresses: str
) -> AsyncIterator[RunningCoturn]:
    """Write coturn's files into `directory`/coturn, and run it from there on free ports.

    Parameters
    ----------
    directory: an empty directory, for the files and the log.
    address, more_addresses: where coturn listens; it relays on the first.
    """
    addresses = (address, *more_addresses)
    port, *relay_ports = free_ports(1 + RELAY_PORTS)
    min_port, max_port = relay_ports[0], relay_ports[-1]
    files = coturn.write(
        directory / "coturn", addresses, port=port, min_port=min_port, max_port=max_port
    )
    log_file = directory / "turnserver.log"
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "turnserver",
            "-c",
            str(files.turnserver_conf),
            cwd=files.turnserver_conf.parent,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
        )
    running = RunningCoturn(files, address, port, min_port, max_port, process.pid, log_file)
    try:
        await _ready(process, running)
        yield running
    finally:
        await _stop(process)


class _BindingClient(asyncio.DatagramProtocol):
    """Sets `answered` when the answer to its one STUN request comes."""

    def __init__(self) -> None:
        self.request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        self.answered = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if stun.parse_message(data).transaction_id == self.request.transaction_id:
            self.answered.set()


async def _binding_answered(address: str, port: int) -> None:
    # Not a connected socket: on that, each request would raise an error until coturn listens.
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
        _BindingClient, local_addr=(address, 0)
    )
    try:
        while not client.answered.is_set():
            transport.sendto(bytes(client.request), (address, port))
            with suppress(TimeoutError):
                async with asyncio.timeout(_ASK_AGAIN_SECONDS):
                    await client.answered.wait()
    finally:
        transport.close()


async def _ready(process: asyncio.subprocess.Process, running: RunningCoturn) -> None:
    ended = asyncio.create_task(process.wait())
    answered = asyncio.create_task(_binding_answered(running.address, running.port))
    try:
        await asyncio.wait(
            {ended, answered}, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if answered.done():
            await answered
            return
        raise RuntimeError(f"turnserver does not answer. It printed:\n{running.log()}")
    finally:
        for task in (ended, answered):
            task.cancel()
        await asyncio.gather(ended, answered, return_exceptions=True)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def credentials_for(server: RunningCoturn, peer_id: str, lifetime: float = 600) -> Credentials:
    """The credentials that Lenscast would give a peer now."""
    return ephemeral(server.secret, peer_id, time.time(), lifetime)


class Inbox(asyncio.DatagramProtocol):
    """Keeps what arrives at a relayed address."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.put_nowait((data, addr))


@asynccontextmanager
async def client(
    server: RunningCoturn,
    username: str,
    password: str,
    *,
    transport: str = "udp",
    host: str | None = None,
) -> AsyncIterator[TurnClient]:
    """A TURN client without an allocation. If it makes one, that is deleted at the end."""
    loop = asyncio.get_running_loop()
    to = (host or server.address, server.port)
    connection: asyncio.BaseTransport
    protocol: TurnClient
    if transport == "tcp":
        connection, protocol = await loop.create_connection(
            lambda: TurnClientTcpProtocol(to, username, password, 600, 500), *to
        )
    else:
        connection, protocol = await loop.create_datagram_endpoint(
            lambda: TurnClientUdpProtocol(to, username, password, 600, 500),
            sock=_fresh_socket(server, to),
        )
    try:
        yield protocol
    finally:
        if protocol.relayed_address is not None:
            await protocol.delete()
        connection.close()


def _fresh_socket(server: RunningCoturn, to: tuple[str, int]) -> socket.socket:
    """Return a socket on a port that no client of this server has used.

    coturn remembers a client's address for a minute. A second client on the same port gets 437,
    or no answer that it can verify.
    """
    while True:
        fresh = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        fresh.setblocking(False)
        fresh.bind(("", 0))
        port = fresh.getsockname()[1]
        if port not in server.client_ports:
            server.client_ports.add(port)
            fresh.connect(to)
            return fresh
        fresh.close()


@dataclass(frozen=True)
class Relayed:
    """An allocation, its relayed address, and the data that arrives there."""

    client: TurnClient
    inbox: Inbox
    address: tuple[str, int]


@asynccontextmanager
async def relayed(
    server: RunningCoturn, peer_id: str, transport: str = "udp", host: str | None = None
) -> AsyncIterator[Relayed]:
    """Make an allocation with valid credentials."""
    good = credentials_for(server, peer_id)
    async with client(
        server, good.username, good.password, transport=transport, host=host
    ) as allocating:
        allocating.receiver = inbox = Inbox()
        yield Relayed(allocating, inbox, await allocating.connect())


async def deliver(data: bytes, sender: Relayed, receiver: Relayed) -> None:
    """Send data from one allocation to the other, repeatedly until it arrives."""
    async with asyncio.timeout(20):
        while True:
            await sender.client.send_data(data, receiver.address)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    while await receiver.inbox.received.get() != (data, sender.address):
                        pass
                    return


async def refusal(request: Any) -> int | None:
    """The error code that refuses a request."""
    with pytest.raises(stun.TransactionFailed) as caught:
        await request
    return caught.value.response.error_code


async def permit(client: TurnClient, peer: str) -> None:
    """Ask for a permission, without sending anything to the peer."""
    request = stun.Message(stun.Method.CREATE_PERMISSION, stun.Class.REQUEST)
    request.attributes["XOR-PEER-ADDRESS"] = (peer, 9)
    await client.request_with_retry(request)
