"""Private parts of other libraries: each is used in one place, and is still what that place knows.

If one of these fails after an upgrade, the library that it names has changed. Look at the place
that it names, then raise the ceiling in pyproject.toml.
"""

import ast
import asyncio
import inspect
import queue
import re
import socket
import threading
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from aioice.ice import Connection, TransportPolicy, relayed_candidate
from aioice.turn import TurnTransport
from aiortc import RTCPeerConnection
from aiortc.codecs.vpx import Vp8Encoder
from tornado.iostream import IOStream
from tornado.util import _websocket_mask
from tornado.websocket import WebSocketProtocol13

ROOT = Path(__file__).parent.parent

PLACES = {
    "lenscast/peers/connection.py": {"aioice", "aiortc"},
    "lenscast/peers/ice.py": {"aioice", "aiortc"},
    "lenscast/peers/encoder.py": {"aiortc"},
    "lenscast/peers/prompt_buffer.py": {"aiortc"},
    "signaling/transport/direct_stream.py": {"tornado"},
    "signaling/transport/framing.py": {"tornado"},
    "signaling/web/open_streams.py": {"tornado"},
}
"""The modules that know private parts, and of which library."""


# Used in one place


def trees() -> dict[str, ast.Module]:
    """Every module of the project, by its path."""
    found = [
        path for top in ("turn", "signaling", "lenscast") for path in ROOT.glob(f"{top}/**/*.py")
    ]
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in found
    }


def is_private(name: str) -> bool:
    """Whether a name is private by convention (PEP 8)."""
    return name.startswith("_") and not name.endswith("__")


def given(tree: ast.Module) -> Iterator[str]:
    """The names that a module gives: to functions, classes, variables and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr


def foreign(tree: ast.Module, others: list[set[str]]) -> Iterator[str]:
    """The private names that a module uses, and that are not the project's own.

    Parameters
    ----------
    others: the names that each of the other modules gives.
    """
    here = {*given(tree), "_replace"}  # That one is public (collections.namedtuple).
    elsewhere = set().union(*others)
    own = here | elsewhere
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Call(func=ast.Name("super")), attr=name):
                if is_private(name) and name not in elsewhere:
                    yield name
            case ast.Attribute(value=ast.Name("self" | "cls"), attr=name, ctx=ast.Load()):
                if is_private(name) and name not in own:
                    yield name
            case ast.Attribute(attr=name):
                if is_private(name) and (name not in here or "__" in name):
                    yield name
            case ast.Constant(str() as name) if name.isidentifier():
                if is_private(name) and "__" in name.strip("_"):
                    yield name


def test_private_parts_are_used_in_one_place() -> None:
    """No other module reaches into another library; each that does reaches in somewhere."""
    modules = trees()
    names = {path: set(given(tree)) for path, tree in modules.items()}
    found = {
        path: sorted(set(foreign(tree, [names[other] for other in names if other != path])))
        for path, tree in modules.items()
    }
    assert {path for path, used in found.items() if used} == set(PLACES), found


def test_a_library_whose_private_parts_are_used_has_a_ceiling() -> None:
    """pyproject.toml allows no next major version of such a library (0.x: no next minor one)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ranges = {re.split("[<>=]", one)[0]: one for one in project["dependencies"]}
    for library in set().union(*PLACES.values()):
        major, minor, *_ = version(library).split(".")
        ceiling = f"<0.{int(minor) + 1}" if major == "0" else f"<{int(major) + 1}"
        assert ranges[library].endswith(ceiling)


# Still what they were


def said(library: str, what: str, where: str) -> str:
    """What to say where a part is not what it was."""
    return f"{library} {version(library)} has changed: {what}. See {where}."


def test_tornado_s_websocket() -> None:
    """Tornado calls the methods that the stricter WebSocket replaces, and has those it calls."""
    where = "signaling/transport/framing.py"
    for name, takes in (
        ("_receive_frame_loop", ["self"]),
        ("_handle_message", ["self", "opcode", "data"]),
        ("_run_callback", ["self", "callback", "args", "kwargs"]),
        ("_abort", ["self"]),
    ):
        method = getattr(WebSocketProtocol13, name, None)
        assert method is not None, said("tornado", f"WebSocketProtocol13 has no {name}", where)
        parameters = list(inspect.signature(method).parameters)
        assert parameters == takes, said("tornado", f"{name} takes {parameters}", where)
    source = inspect.getsource(WebSocketProtocol13)
    for name in ("await self._receive_frame_loop()", "on_ws_connection_close(self.close_code"):
        assert name in source, said("tornado", f"WebSocketProtocol13 lacks {name}", where)
    masked = _websocket_mask(b"\x01\x02\x03\x04", b"abcde")
    assert masked == b"````d", said("tornado", "_websocket_mask", where)


async def test_tornado_s_reads() -> None:
    """A stream reads in a method that one that is handed over replaces, and calls while somebody
    reads."""
    where = "signaling/transport/direct_stream.py"
    source = inspect.getsource(IOStream._handle_events)
    assert "self._handle_read()" in source, said("tornado", "IOStream._handle_events", where)
    near, far = socket.socketpair()
    stream = IOStream(near)
    try:
        waiting = asyncio.ensure_future(stream.read_bytes(1, partial=True))
        assert not waiting.done()
        what = "IOStream.reading while a read waits"
        assert stream.reading(), said("tornado", what, where)
    finally:
        stream.close()
        far.close()


async def test_tornado_s_stream() -> None:
    """A stream reads from a buffer in front of which a byte can be put back."""
    where = "signaling/web/open_streams.py"
    near, far = socket.socketpair()
    stream = IOStream(near)
    try:
        buffer = getattr(stream, "_read_buffer", None)
        assert isinstance(buffer, bytearray), said("tornado", "IOStream._read_buffer", where)
        size = getattr(stream, "_read_buffer_size", None)
        assert size == 0, said("tornado", "IOStream._read_buffer_size", where)
    finally:
        stream.close()
        far.close()


async def test_aiortc_s_transport_and_encoder() -> None:
    """A gatherer and a transport hold aioice's connection, and a sender an encoder once it needs
    one.
    """
    peer = RTCPeerConnection()
    try:
        sender = peer.addTransceiver("video").sender
        transport = sender.transport.transport
        for one in (transport, transport.iceGatherer):
            what = f"{type(one).__name__}._connection"
            held = getattr(one, "_connection", None)
            assert isinstance(held, Connection), said("aiortc", what, "lenscast/peers/ice.py")
        where = "lenscast/peers/encoder.py"
        name = "_RTCRtpSender__encoder"
        assert getattr(sender, name, 0) is None, said("aiortc", name, where)
        name = "_Vp8Encoder__target_bitrate"
        assert hasattr(Vp8Encoder(), name), said("aiortc", name, where)
    finally:
        await peer.close()


async def test_aiortc_s_background() -> None:
    """A connection makes its transports and tasks where the guarded one steps in."""
    where = "lenscast/peers/connection.py"
    for name in ("connect", "createDtlsTransport", "createTransceiver"):
        mangled = f"_RTCPeerConnection__{name}"
        assert hasattr(RTCPeerConnection, mangled), said("aiortc", mangled, where)
    peer = RTCPeerConnection()
    try:
        transceiver = peer.addTransceiver("video")
        held: list[tuple[object, str, type]] = [
            (transceiver.receiver, "_RTCRtpReceiver__decoder_error", threading.Event),
            (transceiver.receiver, "_RTCRtpReceiver__decoder_queue", queue.Queue),
            (transceiver.receiver, "_RTCRtpReceiver__rtcp_exited", asyncio.Event),
            (transceiver.sender, "_RTCRtpSender__rtcp_exited", asyncio.Event),
            (transceiver.receiver.transport.transport._connection, "_queue", asyncio.Queue),
        ]
        for one, name, kind in held:
            assert isinstance(getattr(one, name, None), kind), said("aiortc", name, where)
        for one in (transceiver.receiver, transceiver.sender):
            assert hasattr(one, "_run_rtcp"), said("aiortc", "_run_rtcp", where)
        assert hasattr(transceiver.receiver.transport, "_task"), said("aiortc", "_task", where)
    finally:
        await peer.close()


async def test_aioice_s_connection() -> None:
    """A connection holds its candidates, protocols and policy, and a TURN transport its end."""
    where = "lenscast/peers/ice.py"
    connection = Connection(ice_controlling=True)
    for name, kind in (
        ("_local_candidates", list),
        ("_protocols", list),
        ("_transport_policy", TransportPolicy),
    ):
        held = getattr(connection, name, None)
        assert isinstance(held, kind), said("aioice", f"Connection.{name}", where)
    assert list(inspect.signature(relayed_candidate).parameters) == [
        *("component", "hide_related_address", "protocol_factory", "turn_server"),
        *("turn_username", "turn_password", "turn_ssl", "turn_transport"),
    ], said("aioice", "relayed_candidate", where)
    source = inspect.getsource(TurnTransport)
    assert "self.__close_task" in source, said("aioice", "TurnTransport.__close_task", where)
