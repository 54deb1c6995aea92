"""What a client remembers for a server that was started again."""

from lenscast.peers.memory import Memory
from signaling.room.messages import DocumentVersion, Say

OLD = DocumentVersion("board", 3, {"n": 3}, "p", 1, "seal")


def test_a_newer_version_than_the_servers_is_handed_back() -> None:
    """The server gets it instead of the client's user hearing of an older one."""
    memory = Memory()
    assert memory.take(OLD) is None
    assert memory.take(DocumentVersion("board", 0, {})) == OLD


def test_the_same_version_is_reported() -> None:
    """A server that was not started again has nothing to be told."""
    memory = Memory()
    memory.take(OLD)
    assert memory.take(OLD) is None


def test_the_servers_newest_version_is_remembered() -> None:
    """A version that is as new or newer replaces the one before."""
    memory = Memory()
    memory.take(OLD)
    newest = DocumentVersion("board", 4, {"n": 4}, "p", 2, "seal")
    assert memory.take(newest) is None
    assert memory.take(DocumentVersion("board", 1, {})) == newest


def test_a_version_without_a_seal_is_not_handed_back() -> None:
    """Nobody could tell it from a forged one."""
    memory = Memory()
    memory.take(DocumentVersion("board", 1, {}))
    assert memory.take(DocumentVersion("board", 0, {})) is None


def test_the_number_of_the_last_words_is_remembered() -> None:
    """With it the server knows what was missed."""
    memory = Memory()
    assert memory.heard is None
    memory.take(Say("chat", "hello", n=7))
    assert memory.heard == 7
