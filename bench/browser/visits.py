"""Opens the sender page twice with its server 20 ms away, and takes the time to the first frame."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from playwright.async_api import BrowserContext

from bench.browser.far import Far
from bench.browser.pair import Browsers, Links, first_frame, new_context

GOODBYE_SECONDS = 0.5
"""For what a page says when it is closed."""
STEPS = ("HTML", "code", "socket open", "offer out", "answer in", "connected")
FIRST_FRAME = "first frame"
_MARKS = """() => ({
    ...window.bench.marks,
    HTML: performance.getEntriesByType("navigation")[0].responseEnd,
    opened: performance.timeOrigin,
})"""
_FIRST = """() => { const { at, width, height } = window.bench.frames[0];
    return { at, width, height }; }"""


@dataclass(frozen=True)
class Visit:
    """One visit.

    Attributes
    ----------
    steps: when each was done, in milliseconds after the page was opened; those of STEPS that were
        seen, and FIRST_FRAME.
    size: width and height of the first frame, in pixels.
    """

    steps: Mapping[str, float]
    size: tuple[int, int]

    @property
    def first_frame_ms(self) -> float:
        """Time from opening the sender page to the first painted frame."""
        return self.steps[FIRST_FRAME]


async def two_visits(browsers: Browsers, links: Sequence[Links], far: Far) -> tuple[Visit, Visit]:
    """The first visit of a phone, and another one, for which it has kept the files.

    Parameters
    ----------
    links: of the two visits; the phone's leads to `far`.

    Raises
    ------
    PairError: no frame came.
    """
    phone = await new_context(browsers.phone)
    try:
        first = await _visit(browsers, phone, links[0])
        await far.drop()
        return first, await _visit(browsers, phone, links[1])
    finally:
        await phone.close()


def by_way_of(far: Far, links: Links, scheme: str) -> Links:
    """The same pages; the phone's by way of the proxy."""
    parts = urlsplit(links.sender)
    sender = parts._replace(scheme=scheme, netloc=f"127.0.0.1:{far.port}").geturl()
    return Links(links.receiver, sender)


def key_hash(port: int) -> str:
    """What tells the key of a server on 127.0.0.1: SHA-256 of its public key, in base64."""
    pem = ssl.get_server_certificate(("127.0.0.1", port), timeout=10)
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(hashlib.sha256(key.public_bytes(*form)).digest()).decode()


async def _visit(browsers: Browsers, phone: BrowserContext, links: Links) -> Visit:
    laptop = await new_context(browsers.laptop)
    try:
        receiver = await laptop.new_page()
        await receiver.goto(links.receiver)
        await receiver.wait_for_selector("html[data-phase=idle]", state="attached")
        sender = await phone.new_page()
        await sender.goto(links.sender)
        await first_frame(receiver)
        marks = await sender.evaluate(_MARKS)
        frame = await receiver.evaluate(_FIRST)
        await sender.close()
        await asyncio.sleep(GOODBYE_SECONDS)
        steps = {step: marks[step] for step in STEPS if step in marks}
        steps[FIRST_FRAME] = frame["at"] - marks["opened"]
        return Visit(steps, (frame["width"], frame["height"]))
    finally:
        await laptop.close()
