"""Peers that live in Python: a sender and a receiver of a room, on aiortc and av."""
