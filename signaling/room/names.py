"""What a peer is called, cleaned of what would mislead those who read it.

Pure. Uses `regex` for the grapheme clusters of UAX #29, which the standard library does not know.
"""

import regex

MAX_CHARACTERS = 64
"""How long a name may be, counted as a person counts: in grapheme clusters (UAX #29, 3)."""

MAX_CODE_POINTS = 10 * MAX_CHARACTERS
"""How long it may be besides, since one cluster may hold any number of combining marks. The longest
emoji (UTS #51) has 10."""

# Controls, lone surrogates, separators of lines, and all format characters: those that change the
# direction of text (UAX #9, 2), or that nobody sees. But words of Persian and emoji are made with
# joiners, and flags with tags (UTS #51, C.1).
_DROPPED = regex.compile(
    r"[[\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}]--[\u200c\u200d\U000e0020-\U000e007f]]", regex.VERSION1
)
_SEEN = regex.compile(r"[[\p{L}\p{N}\p{P}\p{S}]--\p{Default_Ignorable_Code_Point}]", regex.VERSION1)
_CHARACTER = regex.compile(r"\X")


def clean(name: str) -> str:
    """The name without what may not stand in it; empty if there is nothing to be seen in it."""
    # A line break parts two words, as a space does.
    words = _DROPPED.sub("", " ".join(name.split()))
    cleaned = " ".join(words.split())
    return cleaned if _SEEN.search(cleaned) else ""


def fits(name: str) -> bool:
    """Whether a clean name is short enough."""
    if len(name) > MAX_CODE_POINTS:
        return False
    return sum(1 for _ in _CHARACTER.finditer(name)) <= MAX_CHARACTERS
