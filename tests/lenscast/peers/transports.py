"""Both transports of a signaling client, for tests that each of them must pass."""

from collections.abc import Callable

from lenscast.peers.transport import Transport
from lenscast.peers.websocket import WebSocketTransport
from signaling.server import SignalingServer
from signaling.transport.local import LocalTransport

TRANSPORTS: dict[str, Callable[[SignalingServer], Transport]] = {
    "websocket": lambda _server: WebSocketTransport(),
    "local": lambda server: LocalTransport(server.hub),
}
"""Makes a transport to a server, by its name."""
