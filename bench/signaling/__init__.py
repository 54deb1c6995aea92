"""Measures the signaling server, side by side with PeerJS's server."""
