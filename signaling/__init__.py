"""The signaling server: rooms, protocol, pages, HTTPS. Imports `turn`; touches no media."""

__version__ = "0.1.0"
