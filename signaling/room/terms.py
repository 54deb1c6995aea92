"""What a link is good for: for ever, until a time, or once. Pure: the time comes in.

The terms stand in the link itself, and its key covers them, so they need no storage. Only which
links have not been used yet, of those that are good once, is remembered.
"""

import re
import secrets
from dataclasses import dataclass

from signaling.room.refusal import Code, Refusal

MAX_UNUSED = 1000
"""Links that are good once and have not been used: the oldest ends when there are more."""

_TEXT = re.compile(r"(?:e(?P<until>[0-9]{1,11}))?(?:o(?P<once>[A-Za-z0-9_-]{11}))?")


@dataclass(frozen=True, slots=True)
class Terms:
    """What one link is good for.

    Attributes
    ----------
    until: when it ends, in whole seconds of Unix time; None: it does not.
    once: its name among the links that are good once; None: it is good as often as one likes.
    """

    until: int | None = None
    once: str | None = None

    @property
    def text(self) -> str:
        """What stands in the link: `eSECONDS`, `oNAME`, both, or nothing."""
        until = "" if self.until is None else f"e{self.until}"
        return until + ("" if self.once is None else f"o{self.once}")

    def is_over(self, unix: float) -> bool:
        """Whether the time is up, by seconds of Unix time."""
        return self.until is not None and unix >= self.until


ALWAYS = Terms()
"""The terms of a link that does not end."""


def read(text: str) -> Terms | None:
    """The terms that a text says; None where it says none."""
    found = _TEXT.fullmatch(text)
    if found is None or not text:
        return None
    until = found["until"]
    return Terms(None if until is None else int(until), found["once"])


class Unused:
    """The links of this process that are good once and have not been used.

    In memory alone: after a restart none of them opens a room, whether it was used or not.
    """

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def name(self) -> str:
        """The name of a new link."""
        name = secrets.token_urlsafe(8)
        self._names[name] = None
        if len(self._names) > MAX_UNUSED:
            del self._names[next(iter(self._names))]
        return name

    def use(self, terms: Terms) -> None:
        """Somebody has come in by a link with these terms."""
        if terms.once is not None:
            self._names.pop(terms.once, None)

    def check(self, terms: Terms, unix: float, *, known: bool) -> None:
        """Whether a link with these terms still lets somebody in.

        Parameters
        ----------
        unix: seconds of Unix time.
        known: it is somebody who has come in by it before, and comes back.

        Raises
        ------
        Refusal: with the code link-ended.
        """
        used = terms.once is not None and terms.once not in self._names and not known
        if used or terms.is_over(unix):
            raise Refusal(
                Code.LINK_ENDED,
                "This link has ended: it was good for some time, or for one visit. "
                "Ask for a new one.",
            )

    def clear(self) -> None:
        """End all of them."""
        self._names.clear()
