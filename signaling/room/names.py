"""What a peer is called, cleaned of what would mislead those who read it.

Pure. Uses `regex` for the grapheme clusters of UAX #29, which the standard library does not know.
"""

import regex

MAX_CHARACTERS = 64
"""How long a name may be, counted as a person counts: in grapheme clusters (UAX #29, 3)."""

MAX_CODE_POINTS = 10 * MAX_CHARACTERS
"""How long it may be besides, since one cluster may hold any number of combining marks. The longest
emoji (UTS #51) has 10."""

# Braille's empty cell looks like a space, and counts as a symbol.
_BLANK = "\u2800"
# Controls, lone surrogates, separators of lines, and whatever nobody sees: fillers, and what
# changes the direction of text (UAX #9, 2). Some of these belong to letters and emoji.
_DROPPED = regex.compile(
    r"[[\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]"
    r"--[\u200c\u200d\p{Variation_Selector}\U000e0020-\U000e007f]]",
    regex.VERSION1,
)
# Without end, marks cover the page. The highest letters of all, those of Tibetan, have fewer.
_MARKS = regex.compile(r"([\p{M}\u200c\u200d]{8})[\p{M}\u200c\u200d]+", regex.VERSION1)
_IN_PLACE = regex.compile(
    r"""(?P<kept>
        # The flags of England, Scotland and Wales (UTS #51, C.1).
        \U0001f3f4[\U000e0020-\U000e007e]{2,6}\U000e007f
        # How an emoji or a Han character is drawn.
      | (?<=\p{Emoji})[\ufe0e\ufe0f] | (?<=\p{Han})\p{Variation_Selector}
        # In emoji that are made of several, and in scripts whose letters join (RFC 5892, A).
      | (?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}]|\p{Emoji}\ufe0f)
        \u200d(?=\p{Extended_Pictographic})
      | (?<=[[\p{M}--\p{Script=Inherited}]\p{Arabic}\p{Syriac}\p{Mongolian}\p{Nko}\p{Adlam}])
        [\u200c\u200d](?=[[\p{L}\p{M}]--\p{Default_Ignorable_Code_Point}])
      | (?<=\p{L})\u200d(?=\p{Canonical_Combining_Class=9})
    )
    | [\u200c\u200d\p{Variation_Selector}\U000e0020-\U000e007f]""",
    regex.VERSION1 | regex.VERBOSE,
)
_SEEN = regex.compile(
    r"[[\p{L}\p{N}\p{P}\p{S}]--[\p{Default_Ignorable_Code_Point}\U0001d159]]", regex.VERSION1
)
_CHARACTER = regex.compile(r"\X")


def clean(name: str) -> str:
    """The name without what may not stand in it; empty if there is nothing to be seen in it."""
    # A line break parts two words, as a space does.
    words = _DROPPED.sub("", " ".join(name.replace(_BLANK, " ").split()))
    words = _MARKS.sub(r"\1", _IN_PLACE.sub(r"\g<kept>", words))
    # Where marks were cut off, a joiner may have nothing more to join.
    words = _IN_PLACE.sub(r"\g<kept>", words)
    cleaned = " ".join(words.split())
    return cleaned if _SEEN.search(cleaned) else ""


def fits(name: str) -> bool:
    """Whether a clean name is short enough."""
    if len(name) > MAX_CODE_POINTS:
        return False
    return sum(1 for _ in _CHARACTER.finditer(name)) <= MAX_CHARACTERS
