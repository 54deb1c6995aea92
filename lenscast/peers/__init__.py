"""Peers written in Python: they send to a room, receive from it, or both, with aiortc and av."""

from turn.quiet import keep_quiet

keep_quiet()
