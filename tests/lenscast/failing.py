"""Makes a peer connection fail."""

from lenscast.peers.session import Session


def fail(session: Session) -> None:
    """Make a connection fail, as ICE does when nothing comes any more."""
    session.connection._RTCPeerConnection__connectionState = "failed"  # type: ignore[attr-defined]
    session.connection.emit("connectionstatechange")
