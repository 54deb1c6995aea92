"""Peers written in Python: they send to a room, receive from it, or both, with aiortc and av."""
