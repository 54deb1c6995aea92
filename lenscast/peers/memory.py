"""What a client remembers of its room, for a server that was started again and knows nothing."""

from signaling.room.messages import DocumentVersion, Say, ServerMessage


class Memory:
    """The newest version of each document, and how much was said."""

    def __init__(self) -> None:
        self.heard: int | None = None
        """The number of what was said last; None before anything was."""
        self._documents: dict[str, DocumentVersion] = {}

    def take(self, message: ServerMessage) -> DocumentVersion | None:
        """Take in a message.

        Returns
        -------
        What to hand back instead of reporting the message: a newer version of the document, which
        this server has sealed before it was started again.
        """
        match message:
            case Say():
                self.heard = message.n
            case DocumentVersion():
                known = self._documents.get(message.name)
                if known is not None and known.seal and known.version > message.version:
                    return known
                self._documents[message.name] = message
        return None
