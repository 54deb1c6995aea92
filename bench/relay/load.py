"""The load: datagrams sent from one UDP socket at a steady rate, and counted at another.

Sends and receives in batches, with sendmmsg and recvmmsg through ctypes: a Python call for each
datagram would be the bottleneck. Linux only.
"""

import ctypes
import os
import socket
import struct
import time
from dataclasses import dataclass

PAYLOAD_BYTES = 1200

_SEND_BATCH = 16
_RECEIVE_BATCH = 64
_HEAD_BYTES = 8
_QUIET_SECONDS = 0.2
_DRAIN_SECONDS = 2.0
_SO_MEMINFO = 55
_MEMINFO_DROPS = 8
_STAMP = struct.Struct("!Iq")
_REST = bytes(PAYLOAD_BYTES - _STAMP.size)


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("header", _Msghdr), ("length", ctypes.c_uint))


_LIBC = ctypes.CDLL(None, use_errno=True)


class LoadError(Exception):
    """Packets were lost or changed. The message says more."""


@dataclass(frozen=True)
class Pair:
    """The connected, non-blocking sockets that datagrams are sent to and received from.

    Attributes
    ----------
    prefix: the bytes before each payload that is sent; those that are received have as many.
    """

    sender: socket.socket
    receiver: socket.socket
    prefix: bytes

    def close(self) -> None:
        """Close both sockets."""
        self.sender.close()
        self.receiver.close()


@dataclass(frozen=True)
class Count:
    """The result of one run. `seconds` is the time from the first to the last sent datagram."""

    sent: int
    received: int
    seconds: float
    overflowed: int

    @property
    def rate(self) -> float:
        """Datagrams sent per second."""
        return self.sent / self.seconds

    @property
    def carried(self) -> float:
        """Datagrams received per second."""
        return self.received / self.seconds

    @property
    def loss(self) -> float:
        """The share of the datagrams that did not arrive."""
        return 1 - self.received / self.sent


class Batches:
    """Sends one datagram many times and counts those that arrive, with few system calls.

    Parameters
    ----------
    pair: the sockets. The payload is PAYLOAD_BYTES of zeros.
    """

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        data = pair.prefix + bytes(PAYLOAD_BYTES)
        self._datagram = ctypes.create_string_buffer(data, len(data))
        # Only the first bytes of each received datagram are copied; the kernel drops the rest.
        self._head = ctypes.create_string_buffer(_HEAD_BYTES)
        self._out = _messages(self._datagram, len(data), _SEND_BATCH)
        self._in = _messages(self._head, _HEAD_BYTES, _RECEIVE_BATCH)

    def run(self, rate: float, seconds: float) -> Count:
        """Send at a rate (datagrams per second) for a time, and wait for those still on their way.

        If the generator falls behind it sends fewer: a burst to catch up would be another load.
        """
        self.drain()
        overflowed = _overflowed(self._pair.receiver)
        sent = received = 0
        begin = start = now = time.perf_counter()
        while now - begin < seconds:
            due = int((now - start) * rate) - sent
            if due > _SEND_BATCH:
                start += (due - _SEND_BATCH) / rate
                due = _SEND_BATCH
            if due > 0:
                sent += self._send(due)
            received += self._receive()
            now = time.perf_counter()
        elapsed = now - begin
        received += self.drain(sent - received)
        return Count(sent, received, elapsed, _overflowed(self._pair.receiver) - overflowed)

    def drain(self, missing: int | None = None) -> int:
        """Receive until nothing has come for a while, or all missing ones. Returns the count."""
        received = 0
        last = begin = time.perf_counter()
        while (now := time.perf_counter()) - last < _QUIET_SECONDS and now - begin < _DRAIN_SECONDS:
            if received == missing:
                break
            if count := self._receive():
                received += count
                last = now
        return received

    def _send(self, count: int) -> int:
        done: int = _LIBC.sendmmsg(self._pair.sender.fileno(), self._out, count, 0)
        if done < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return done

    def _receive(self) -> int:
        done: int = _LIBC.recvmmsg(
            self._pair.receiver.fileno(), self._in, _RECEIVE_BATCH, socket.MSG_DONTWAIT, None
        )
        if done < 0:
            code = ctypes.get_errno()
            if code != socket.EAGAIN:
                raise OSError(code, os.strerror(code))
            return 0
        return done


def latencies(pair: Pair, rate: float, count: int) -> list[float]:
    """Send single datagrams at a rate. Returns how long each took one way, in microseconds.

    The receiver polls and never sleeps, so that the results do not include waking up this process.
    Every byte of each datagram is compared.

    Raises
    ------
    LoadError: one arrived changed, or more than 1 % did not arrive.
    """
    Batches(pair).drain()
    found: list[float] = []
    start = time.perf_counter_ns()
    for number in range(count):
        following = start + round((number + 1) * 1e9 / rate)
        pair.sender.send(pair.prefix + _STAMP.pack(number, time.perf_counter_ns()) + _REST)
        _collect(pair, following, found, count)
    _collect(pair, time.perf_counter_ns() + round(_DRAIN_SECONDS * 1e9), found, count)
    if len(found) < 0.99 * count:
        raise LoadError(f"Of {count} datagrams at {rate:.0f}/s only {len(found)} arrived.")
    return found


def _collect(pair: Pair, until: int, found: list[float], count: int) -> None:
    """Receive until this time, or until there are `count`."""
    head = len(pair.prefix)
    while len(found) < count:
        try:
            data = pair.receiver.recv(2048)
        except BlockingIOError:
            if time.perf_counter_ns() >= until:
                return
            continue
        now = time.perf_counter_ns()
        _, stamp = _STAMP.unpack_from(data, head)
        if len(data) != head + PAYLOAD_BYTES or data[head + _STAMP.size :] != _REST:
            raise LoadError("A datagram was changed on its way.")
        found.append((now - stamp) / 1000)


def direct() -> Pair:
    """Two sockets on loopback, without a relay between them."""
    receiver = _socket()
    receiver.bind(("127.0.0.1", 0))
    sender = _socket()
    sender.bind(("127.0.0.1", 0))
    sender.connect(receiver.getsockname())
    receiver.connect(sender.getsockname())
    return Pair(sender, receiver, bytes(4))


def connected(address: tuple[str, int]) -> socket.socket:
    """A non-blocking socket that is connected to an address and has a large buffer."""
    made = _socket()
    made.connect(address)
    return made


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    made.setblocking(False)
    return made


def _messages(buffer: ctypes.Array[ctypes.c_char], size: int, count: int) -> object:
    # All share one buffer, because the content does not matter.
    vector = _Iovec(ctypes.addressof(buffer), size)
    header = _Msghdr(iov=ctypes.pointer(vector), iovlen=1)
    return (_Mmsghdr * count)(*(_Mmsghdr(header, 0) for _ in range(count)))


def _overflowed(receiver: socket.socket) -> int:
    """How many datagrams the kernel has dropped because this socket's buffer was full."""
    info = receiver.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * (_MEMINFO_DROPS + 1))
    drops: int = struct.unpack_from("=I", info, 4 * _MEMINFO_DROPS)[0]
    return drops
