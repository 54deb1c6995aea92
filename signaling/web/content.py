"""Content that is ready to be sent: nothing is read, compressed or hashed for a request."""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from tornado.web import RequestHandler


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent for one path.

    Attributes
    ----------
    body: the bytes.
    packed: the same, compressed with gzip; None for what is not text.
    type: the media type.
    digest: tells it apart from all other content.
    """

    body: bytes
    packed: bytes | None
    type: str
    digest: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> "Content":
        """Compress and hash a body."""
        text = media_type.startswith(("text/", "image/svg"))
        return cls(body, gzip.compress(body) if text else None, media_type, digest([body]))


class ContentHandler(RequestHandler):
    """Sends content, or 304 if the browser has it already."""

    _validator: str | None = None

    def send(self, content: Content) -> None:
        """Answer with the content."""
        self.set_header("Content-Type", content.type)
        self.set_header("Vary", "Accept-Encoding")
        # Two representations need two validators (RFC 9110, 8.8.3).
        if content.packed and "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self._validator = f'"{content.digest}-gzip"'
            self.set_header("Content-Encoding", "gzip")
            self.finish(content.packed)
        else:
            self._validator = f'"{content.digest}"'
            self.finish(content.body)

    def compute_etag(self) -> str | None:
        """Tornado's hook; its own would hash the body for each request."""
        return self._validator


def digest(parts: Iterable[bytes]) -> str:
    """64 bits of the SHA-256 of these parts, as 16 hexadecimal digits."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()[:16]
