"""turn.udp and turn.tcp: datagrams and streams between real sockets and the core."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.iostream import IOStream

from tests.signaling.transport.raw import SECONDS
from tests.turn.client import channel_data, request, running_turn
from tests.turn.turns import in_turns
from turn import stun, tcp
from turn.access import Access
from turn.limits import RelayLimits
from turn.relay import Relay
from turn.stun import Attribute, Kind, Method
from turn.tcp import NotStun, TcpConnections, split
from turn.udp import BATCH, UdpClient, UdpEndpoint

BINDING = request(Method.BINDING)


async def until(condition: Any) -> None:
    """Wait for a condition that should soon be true."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


# Framing


def padded(data: bytes) -> bytes:
    """A message as it is sent over TCP."""
    return data + bytes(-len(data) % 4)


STREAM = [BINDING, padded(channel_data(0x4000, b"hello")), channel_data(0x4001, b""), BINDING]


def test_framing_split_at_each_byte() -> None:
    """Wherever the stream is split, the same messages come out, with their padding."""
    stream = b"".join(STREAM)
    for cut in range(len(stream) + 1):
        buffer = bytearray(stream[:cut])
        messages = split(buffer)
        buffer += stream[cut:]
        messages += split(buffer)
        assert messages == STREAM, cut
        assert not buffer


@settings(deadline=None)
@given(st.lists(st.integers(1, 7)))
def test_framing_in_any_pieces(sizes: list[int]) -> None:
    """However small the pieces are, the same messages come out."""
    stream, buffer, messages = b"".join(STREAM), bytearray(), []
    for size in [*sizes, len(stream)]:
        buffer += stream[:size]
        stream = stream[size:]
        messages += split(buffer)
    assert messages == STREAM


@pytest.mark.parametrize(
    "data",
    [b"\x80\0\0\0", b"\xff\xff\xff\xff", b"\0\1\0\0\0\0\0\0", b"\0\1\0\3", b"\0\1\0\0\x21x"],
)
def test_a_stream_of_something_else(data: bytes) -> None:
    """The first eight bytes are enough to notice that a stream is not STUN."""
    with pytest.raises(NotStun):
        split(bytearray(data))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_framing_of_random_bytes(data: bytes) -> None:
    """Random bytes are split into messages, kept for later, or refused, and nothing else."""
    buffer = bytearray(data)
    with contextlib.suppress(NotStun):
        assert b"".join(split(buffer)) + buffer == data


# UDP


@contextlib.asynccontextmanager
async def endpoint(host: str = "127.0.0.1") -> AsyncIterator[tuple[UdpEndpoint, socket.socket]]:
    """A relay at one address over UDP, and a client's socket."""
    relay = Relay(Access(600, 600), RelayLimits())
    served = UdpEndpoint(host, 0, relay, lambda: 0.0)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect((host, served.port))
        try:
            yield served, client
        finally:
            served.close()


async def received(client: socket.socket) -> bytes:
    """The next datagram."""
    async with asyncio.timeout(SECONDS):
        return await asyncio.get_running_loop().sock_recv(client, 65536)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_udp_answers_from_the_address_that_was_asked(host: str) -> None:
    """A connected socket, which takes packets only from the address it asked, gets the answer."""
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this host has no IPv6")
    async with endpoint(host) as (_, client):
        client.send(BINDING)
        answer = stun.parse(await received(client))
        assert answer is not None
        assert answer.kind == Kind.SUCCESS
        host, port = client.getsockname()[:2]
        mapped = stun.xor_address(host, port, answer.transaction)
        assert answer.get(Attribute.XOR_MAPPED_ADDRESS) == mapped


async def test_udp_takes_many_in_one_go() -> None:
    """More packets than are handled at a time all get an answer, and other tasks run in between."""
    async with endpoint() as (_, client):
        turns = 0

        def count() -> None:
            nonlocal turns
            turns += 1
            asyncio.get_running_loop().call_soon(count)

        for _ in range(BATCH * 2 + 10):
            client.send(BINDING)
        asyncio.get_running_loop().call_soon(count)
        first = await received(client)
        at_first = turns
        answers = [first] + [await received(client) for _ in range(BATCH * 2 + 9)]
        assert len(answers) == BATCH * 2 + 10
        assert at_first < 10


async def test_udp_garbage_is_not_answered() -> None:
    """Garbage gets no answer; the valid request after it does."""
    async with endpoint() as (_, client):
        for data in (b"", b"x", b"\0" * 20, b"\x40\0\0\0", b"\xff" * 1500, BINDING[:-1]):
            client.send(data)
        client.send(BINDING)
        answer = stun.parse(await received(client))
        assert answer is not None
        assert answer.transaction == BINDING[8:20]


async def test_udp_forgets_who_has_no_allocation() -> None:
    """A client that only asks is not remembered, because addresses are easy to forge."""
    async with endpoint() as (served, client):
        client.send(BINDING)
        await received(client)
        assert served._clients == {}


def test_udp_full_socket() -> None:
    """If the kernel has no room or no route, the packet is dropped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        client = UdpClient(bound, ("127.0.0.1", 9))
        assert not client.send(bytes(70000))
        assert client.send(b"x")


async def test_udp_address_of_another_host() -> None:
    """Binding to another host's address raises OSError."""
    relay = Relay(Access(600, 600), RelayLimits())
    with pytest.raises(OSError, match="assign"):
        UdpEndpoint("192.0.2.99", 0, relay, lambda: 0.0)


# TCP


@contextlib.asynccontextmanager
async def connections(
    **limits: Any,
) -> AsyncIterator[tuple[TcpConnections, Relay, list[float]]]:
    """The relay over TCP, with a clock that the test sets."""
    clock = [0.0]
    allowed = RelayLimits(**limits)
    relay = Relay(Access(600, 600), allowed)
    served = TcpConnections(relay, allowed, lambda: clock[0])
    try:
        yield served, relay, clock
    finally:
        await served.close()


def connected(served: TcpConnections, host: str = "127.0.0.1") -> socket.socket:
    """A client's end of a connection that is being served, as if it came from the given address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        connection, (_, port) = listener.accept()
    connection.setblocking(False)
    client.setblocking(False)
    served.accept(connection, (host, port))
    return client


async def test_tcp_answers_byte_by_byte() -> None:
    """A request that comes in single bytes is answered like one that comes whole."""
    async with connections() as (served, _, _):
        with connected(served) as client:
            for byte in BINDING:
                client.send(bytes((byte,)))
                await asyncio.sleep(0)
            answer = stun.parse(await received(client))
            assert answer is not None
            assert answer.get(Attribute.XOR_MAPPED_ADDRESS)


async def test_tcp_begins_with_bytes_read_before() -> None:
    """A stream that is handed over after its first byte was read is served from that byte on."""
    async with connections() as (served, _, _):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            connection, _ = listener.accept()
        connection.setblocking(False)
        client.setblocking(False)
        stream = IOStream(connection)
        with client:
            client.send(BINDING)
            served.accept_stream(stream, await stream.read_bytes(1))
            assert stun.parse(await received(client)) is not None


async def test_tcp_of_something_else_is_closed() -> None:
    """If the framing is lost, the connection is closed."""
    async with connections() as (served, relay, _):
        with connected(served) as client:
            client.send(b"\0\0\0\0\0\0\0\0")
            assert await received(client) == b""
            await until(lambda: len(served) == 0)
            assert relay.drops == {"malformed": 1}


async def test_tcp_without_allocation_is_closed() -> None:
    """A connection without an allocation is closed after 30 s, even if the client keeps asking
    for its address.
    """
    async with connections() as (served, _, clock):
        with connected(served) as client:
            clock[0] = 29.9
            served.sweep(clock[0])
            client.send(BINDING)
            assert await received(client)
            clock[0] = 30
            served.sweep(clock[0])
            assert await received(client) == b""
            await until(lambda: len(served) == 0)


async def test_tcp_with_allocation_stays_open() -> None:
    """A connection stays open while it has an allocation; the 30 s start when that ends."""
    async with connections() as (served, relay, clock):
        with connected(served) as client:
            one = next(iter(served._tasks))
            access = relay._access
            access.issue("ann", "room", 0)
            allocation = relay._table.add(one, "ann", "room", b"user", 100, 0)
            for clock[0] in (31, 62, 99):
                served.sweep(clock[0])
            relay._table.remove(allocation)
            served.sweep(100)
            served.sweep(129)
            client.send(BINDING)
            assert await received(client)
            served.sweep(130)
            assert await received(client) == b""


async def test_tcp_disconnect_deletes_the_allocation() -> None:
    """When a connection ends, its allocation is deleted at once, because nobody can reach it any
    more.
    """
    async with connections() as (served, relay, _):
        client = connected(served)
        relay._table.add(next(iter(served._tasks)), "ann", "room", b"user", 100, 0)
        assert relay.figures()["allocations"] == 1
        client.close()
        await until(lambda: relay.figures()["allocations"] == 0)
        assert len(served) == 0


async def test_tcp_too_many() -> None:
    """A connection above the limit is closed."""
    async with connections(tcp_connections=1) as (served, relay, _):
        with connected(served), connected(served) as second:
            assert await received(second) == b""
            assert len(served) == 1
            assert relay.drops == {"connections": 1}


@pytest.mark.parametrize(
    ("first", "same", "other"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("2001:db8::1", "2001:db8::2:0:0:1", "2001:db8:0:1::1"),
    ],
)
async def test_tcp_too_many_of_one_address(first: str, same: str, other: str) -> None:
    """A connection above the limit of its address is closed, and another address is served."""
    async with connections(tcp_connections_per_address=2) as (served, relay, _):
        with (
            connected(served, first),
            connected(served, first),
            connected(served, same) as refused,
            connected(served, other) as client,
        ):
            assert await received(refused) == b""
            client.send(BINDING)
            assert await received(client)
            assert relay.drops == {"connections": 1}


async def test_tcp_with_allocation_does_not_count_for_its_address() -> None:
    """Connections with an allocation do not count for their address: many may come from behind
    one NAT.
    """
    async with connections(tcp_connections_per_address=1) as (served, relay, _):
        with connected(served), contextlib.ExitStack() as stack:
            for number in range(3):
                relay._table.add(list(served._tasks)[-1], f"peer {number}", "room", b"user", 100, 0)
                client = stack.enter_context(connected(served))
                client.send(BINDING)
                assert await received(client)


async def test_tcp_slow_client() -> None:
    """What a slow client does not read is dropped above the limit; what it reads later is whole
    messages.
    """
    async with connections(tcp_buffer_bytes=20_000) as (served, _, _):
        with connected(served) as client:
            one = next(iter(served._tasks))
            packet = channel_data(0x4000, bytes(1001))
            sent = [one.send(packet) for _ in range(20_000)]
            assert not all(sent)
            assert sent[0]
            assert len(one.stream._write_buffer) <= 20_000
            buffer, count = bytearray(), 0
            while count < sum(sent):
                buffer += await received(client)
                messages = split(buffer)
                assert all(message[:1005] == packet for message in messages)
                count += len(messages)
            assert not buffer
            assert one.send(packet)


async def test_tcp_answers_do_not_pile_up() -> None:
    """For a client that asks and never reads, no more answers wait than the limit allows."""
    async with connections(tcp_buffer_bytes=20_000) as (served, relay, _):
        with connected(served) as client:
            one = next(iter(served._tasks))
            while not relay.drops["slow"]:
                with contextlib.suppress(BlockingIOError):
                    client.send(BINDING * 100)
                await asyncio.sleep(0)
            assert len(one.stream._write_buffer) <= 20_000


async def test_tcp_fast_client_lets_others_in() -> None:
    """A client that sends without a pause does not block the event loop."""
    async with connections() as (served, relay, _):
        with connected(served) as client:
            async with in_turns(lambda: relay.drops["no allocation"]):
                while relay.drops["no allocation"] < 20_000:
                    with contextlib.suppress(BlockingIOError):
                        client.send(padded(channel_data(0x4000, b"x")) * 5000)
                    await asyncio.sleep(0)


async def test_tcp_close_leaves_nothing() -> None:
    """Closing ends all tasks and connections."""
    async with connections() as (served, _, _):
        with connected(served) as client:
            await served.close()
            assert await received(client) == b""
            assert len(served) == 0


@pytest.mark.parametrize(
    ("peer", "told"),
    [
        (("192.0.2.1", 5), ("192.0.2.1", 5)),
        (("::ffff:192.0.2.1", 5, 0, 0), ("192.0.2.1", 5)),
        (("2001:db8::1", 5, 0, 0), ("2001:db8::1", 5)),
        (("fe80::1%eth0", 5, 0, 2), ("fe80::1%eth0", 5)),
    ],
)
def test_client_addresses(peer: Any, told: tuple[str, int]) -> None:
    """An IPv4 client of a socket for both families learns its IPv4 address."""
    assert tcp._plain(peer) == told


async def test_relay_over_sockets_counts_garbage() -> None:
    """On one port over UDP and TCP, garbage is counted and the next client is served."""
    async with running_turn() as running:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect((running.host, running.port))
            client.send(b"\0garbage")
            client.send(BINDING)
            await received(client)
        reader, writer = await asyncio.open_connection(running.host, running.port)
        writer.write(BINDING)
        assert await asyncio.wait_for(reader.readexactly(20), SECONDS)
        writer.close()
        await writer.wait_closed()
        assert running.turn.figures()["drops"] == {"malformed": 1}
