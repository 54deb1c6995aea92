"""Three benches: `python -m bench.relay`, `bench.signaling` and `bench.browser`.

Each has a folder, and prints tables that compare this project with another one: the relay with
coturn, the signaling server and the pages with PeerJS.
"""
