"""One port for several protocols: the first byte decides."""

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import AsyncIterator

import pytest

from signaling.setup_error import SetupError
from signaling.web import port
from signaling.web.port import Port, bind
from tests.loopback import ATTACKER, PHONE, needs_addresses
from tests.signaling.transport.raw import SECONDS


class Taker:
    """Keeps the connections that it gets, and closes them at the end."""

    def __init__(self) -> None:
        self.taken: asyncio.Queue[socket.socket] = asyncio.Queue(100)

    def __call__(self, connection: socket.socket, _address: tuple[str, int]) -> None:
        self.taken.put_nowait(connection)

    async def next(self) -> socket.socket:
        return await asyncio.wait_for(self.taken.get(), SECONDS)


class Faulty(socket.socket):
    """A listener whose `accept` fails a given number of times before it works."""

    def __init__(self, listener: socket.socket, error: int, times: int) -> None:
        super().__init__(fileno=listener.detach())
        self.setblocking(False)
        self.error = error
        self.times = times
        self.asked = 0

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        self.asked += 1
        if self.times:
            self.times -= 1
            raise OSError(self.error, os.strerror(self.error))
        return super().accept()


@contextlib.asynccontextmanager
async def listening(
    silence: float = 30,
    stun: Taker | None = None,
    listener: socket.socket | None = None,
    silent_per_address: int = 64,
) -> AsyncIterator[tuple[Port, Taker, Taker]]:
    tls, http = Taker(), Taker()
    listener = listener or bind("127.0.0.1", 0, "server.port")
    opened = Port(
        listener,
        silence=silence,
        silent_per_address=silent_per_address,
        tls=tls,
        http=http,
        stun=stun,
    )
    try:
        yield opened, tls, http
    finally:
        opened.close()
        for taker in (tls, http):
            while not taker.taken.empty():
                taker.taken.get_nowait().close()


async def connect(
    number: int, source: str = "127.0.0.1"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", number, local_addr=(source, 0))


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the other side closes the connection; waits for it."""
    try:
        return await asyncio.wait_for(reader.read(1), SECONDS) == b""
    except ConnectionResetError:
        return True


async def test_a_tls_handshake_is_told_from_http_by_the_first_byte() -> None:
    """0x16 goes to TLS and a letter goes to HTTP, and no byte is lost."""
    async with listening() as (opened, tls, http):
        for taker, text in ((tls, b"\x16\x03\x01"), (http, b"GET /")):
            _reader, writer = await connect(opened.number)
            writer.write(text)
            connection = await taker.next()
            assert connection.recv(10) == text
            connection.close()
            writer.close()


@pytest.mark.parametrize("byte", [b"\x00", b"\x03"])
async def test_stun_is_told_by_its_first_byte(byte: bytes) -> None:
    """A first byte from 0 to 3 means STUN; without a STUN server, the connection is closed."""
    stun = Taker()
    async with listening(stun=stun) as (opened, _tls, _http):
        _reader, writer = await connect(opened.number)
        writer.write(byte)
        connection = await stun.next()
        assert connection.recv(1) == byte
        connection.close()
        writer.close()
    async with listening() as (opened, _tls, _http):
        reader, writer = await connect(opened.number)
        writer.write(byte)
        assert await ended(reader)
        writer.close()


@pytest.mark.parametrize("byte", [b"\x04", b"\x15", b"\xff", b"1", b" "])
async def test_what_nobody_takes_is_closed(byte: bytes) -> None:
    """A connection whose first byte belongs to no protocol here is closed."""
    async with listening() as (opened, _tls, _http):
        reader, writer = await connect(opened.number)
        writer.write(byte)
        assert await ended(reader)
        writer.close()


async def test_a_silent_connection_does_not_hold_up_another() -> None:
    """A silent connection does not delay any other."""
    async with listening() as (opened, _tls, http):
        _reader, silent = await connect(opened.number)
        _reader2, other = await connect(opened.number)
        other.write(b"G")
        (await http.next()).close()
        silent.close()
        other.close()


async def test_a_connection_that_says_nothing_is_closed_in_time() -> None:
    """A connection is closed when the time for its first byte is over."""
    async with listening(silence=0.05) as (opened, _tls, _http):
        reader, writer = await connect(opened.number)
        assert await ended(reader)
        writer.close()


async def test_one_silent_connection_too_many_closes_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number of silent connections is limited; one more closes the oldest."""
    monkeypatch.setattr(port, "MAX_SILENT", 1)
    async with listening() as (opened, _tls, http):
        oldest, first = await connect(opened.number)
        _reader, second = await connect(opened.number)
        assert await ended(oldest)
        second.write(b"G")
        (await http.next()).close()
        first.close()
        second.close()


@needs_addresses
async def test_an_address_with_too_many_silent_connections_loses_its_own() -> None:
    """One silent connection too many from an address closes the oldest of that address, and no
    other.
    """
    async with listening(silent_per_address=2) as (opened, _tls, http):
        _reader, other = await connect(opened.number, PHONE)
        own = [await connect(opened.number, ATTACKER) for _ in range(3)]
        assert await ended(own[0][0])
        for writer in (other, *(writer for _, writer in own[1:])):
            writer.write(b"G")
            (await http.next()).close()
            writer.close()
        own[0][1].close()


async def test_what_has_spoken_is_not_closed_as_silent() -> None:
    """A connection that has sent a byte is not closed as silent, even if too many come at once."""
    async with listening(silent_per_address=1) as (opened, _tls, http):
        with contextlib.ExitStack() as stack:
            for _ in range(10):  # Blocking calls: the port cannot run until all of them are here.
                connection = socket.create_connection(("127.0.0.1", opened.number))
                stack.enter_context(connection).send(b"G")
            for _ in range(10):
                (await http.next()).close()


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_without_sockets_to_give_the_port_waits_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: int
) -> None:
    """When the system has no more sockets, the port tries again after a while, with one log line
    each time.
    """
    monkeypatch.setattr(port, "RETRY_SECONDS", 0.05)
    faulty = Faulty(bind("127.0.0.1", 0, "server.port"), error, times=3)
    async with listening(listener=faulty) as (opened, _tls, http):
        _reader, writer = await connect(opened.number)
        writer.write(b"G")
        (await http.next()).close()
        assert faulty.asked <= 3 + 2  # The waiting connection, and the call that finds no other.
        said = [r for r in caplog.records if r.levelno >= logging.WARNING]
        assert len(said) == 3
        assert all(r.exc_info is None for r in said)
        writer.close()


async def test_without_sockets_to_give_a_silent_one_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the system has no more sockets, the connection that was silent longest is closed."""
    monkeypatch.setattr(port, "RETRY_SECONDS", 0.05)
    faulty = Faulty(bind("127.0.0.1", 0, "server.port"), errno.EMFILE, times=0)
    async with listening(listener=faulty) as (opened, _tls, http):
        oldest, first = await connect(opened.number)
        _reader, speaker = await connect(opened.number)
        speaker.write(b"G")
        (await http.next()).close()  # By now the silent one has been accepted too.
        faulty.times = 1
        _reader, second = await connect(opened.number)
        assert await ended(oldest)
        second.write(b"G")
        (await http.next()).close()
        for writer in (first, speaker, second):
            writer.close()


async def test_a_connection_that_broke_while_waiting_does_no_harm() -> None:
    """After a connection that broke while it waited, the next one is accepted at once."""
    faulty = Faulty(bind("127.0.0.1", 0, "server.port"), errno.ECONNABORTED, times=1)
    async with listening(listener=faulty) as (opened, _tls, http):
        _reader, writer = await connect(opened.number)
        writer.write(b"G")
        (await http.next()).close()
        writer.close()


async def test_closing_while_it_waits_for_sockets_ends_it() -> None:
    """After `close`, a port that waited for sockets does not try again."""
    faulty = Faulty(bind("127.0.0.1", 0, "server.port"), errno.EMFILE, times=1)
    async with listening(listener=faulty) as (opened, _tls, _http):
        _reader, writer = await connect(opened.number)
        async with asyncio.timeout(SECONDS):
            while faulty.times:
                await asyncio.sleep(0.01)
    assert faulty.fileno() == -1
    writer.close()


async def test_closing_closes_the_listener_and_what_is_silent() -> None:
    """After `close`, nobody can connect, and silent connections are closed."""
    async with listening() as (opened, _tls, http):
        reader, writer = await connect(opened.number)
        _reader, speaker = await connect(opened.number)
        speaker.write(b"G")
        (
            await http.next()
        ).close()  # By now the silent one, which came first, has been accepted too.
        number = opened.number
    assert await ended(reader)
    with pytest.raises(ConnectionRefusedError):
        await connect(number)
    writer.close()
    speaker.close()


def test_a_port_in_use_is_one_clear_sentence() -> None:
    """The error names the port and the option for another port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(SetupError, match=rf"Port {number} is in use.*--local-port"):
            bind("127.0.0.1", number, "server.local_port")


def test_an_address_of_another_host_is_one_clear_sentence() -> None:
    """The error names the address and the setting."""
    with pytest.raises(SetupError, match=r"Cannot listen on 198\.51\.100\.7, port 0.*server\.host"):
        bind("198.51.100.7", 0, "server.port")


def test_a_port_that_needs_rights_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which ports need no rights. The fault is simulated, because tests may run
    as root.
    """

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(SetupError, match=r"Port 443 is not allowed for this user"):
        bind("127.0.0.1", 443, "server.port")
