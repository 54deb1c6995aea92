"""Measures the pages in real browsers, side by side with PeerJS."""
