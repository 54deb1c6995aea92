"""The signaling server: rooms, protocol, pages, HTTPS."""

__version__ = "0.1.0"
