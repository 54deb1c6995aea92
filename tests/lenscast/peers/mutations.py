"""Descriptions that no program means: real ones, with lines dropped, doubled, swapped and bent."""

import re
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

FOLDER = Path(__file__).parent / "descriptions"
"""What Chromium, Firefox and aiortc have sent to peers in Python."""

OFFERS = [path.read_text() for path in sorted(FOLDER.glob("*-offer.sdp"))]
ANSWERS = [path.read_text() for path in sorted(FOLDER.glob("*-answer.sdp"))]

CANDIDATES = [
    "candidate:2236892520 1 udp 2122194687 127.0.0.1 60848 typ host generation 0 ufrag E3fc",
    "candidate:833972074 1 udp 58597631 127.0.0.1 7079 typ relay raddr 0.0.0.0 rport 0",
    "candidate:0 1 UDP 2122055935 ::1 58259 typ host",
    "candidate:1 1 tcp 2105524479 127.0.0.1 9 typ host tcptype active",
]

NUMBERS = ["", "0", "-1", "1", "96", "97", "127", "128", "255", "256", "65535", "65536", "99999"]
NUMBERS += ["4294967295", "4294967296", "1" * 20, "1" * 5000, "1e9", "٣"]
TEXTS = ["", " ", "\0", "\ud800", "\u202e", "x" * 3000, "a=mid:0", "BUNDLE", "*", ":", "rtx", "-"]
LINES = [
    "a=fmtp:111 x=1",
    "a=fmtp:96 apt=96",
    "a=rtpmap:96 rtx/90000",
    "a=rtpmap:5 VP8/90000",
    "a=group:BUNDLE nowhere 0 1 2",
    "a=group:BUNDLE",
    "a=ice-lite",
    "a=setup:holdconn",
    "a=mid:0",
    "a=extmap:300 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=candidate:1 1 udp 1 127.0.0.1 99999 typ host",
    "a=candidate:1 1 udp 1 nowhere.invalid 9 typ host",
    "a=end-of-candidates",
    "a=ssrc:1 cname:",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "m=text 9 UDP/TLS/RTP/SAVPF 98",
    "m=application 9 DTLS/SCTP 99999",
]

MOST = 40_000
"""More characters than a server forwards."""

Lines = list[str]
Change = Callable[[Lines], Lines]


def _at(lines: Lines, place: int) -> int:
    return place % max(1, len(lines))


def _drop(place: int, count: int) -> Change:
    return lambda lines: lines[: _at(lines, place)] + lines[_at(lines, place) + count :]


def _double(place: int, count: int) -> Change:
    return lambda lines: [
        line
        for index, line in enumerate(lines)
        for _ in range(count if index == _at(lines, place) else 1)
    ]


def _swap(one: int, other: int) -> Change:
    def change(lines: Lines) -> Lines:
        if lines:
            a, b = _at(lines, one), _at(lines, other)
            lines[a], lines[b] = lines[b], lines[a]
        return lines

    return change


def _insert(place: int, line: str) -> Change:
    return lambda lines: [*lines[: _at(lines, place)], line, *lines[_at(lines, place) :]]


def _number(place: int, which: int, number: str) -> Change:
    """Change a number in a line that has one."""

    def change(lines: Lines) -> Lines:
        having = [index for index, line in enumerate(lines) if re.search(r"\d", line)]
        if having:
            index = having[place % len(having)]
            found = list(re.finditer(r"\d+", lines[index]))
            begin, end = found[which % len(found)].span()
            lines[index] = lines[index][:begin] + number + lines[index][end:]
        return lines

    return change


def _value(place: int, text: str) -> Change:
    """Change what comes after a colon or an equals sign."""

    def change(lines: Lines) -> Lines:
        if lines:
            index = _at(lines, place)
            name, sign, _ = lines[index].partition(":" if ":" in lines[index] else "=")
            lines[index] = name + sign + text
        return lines

    return change


def _section(which: int, count: int) -> Change:
    """Have a section a number of times, or not at all."""

    def change(lines: Lines) -> Lines:
        starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
        if not starts:
            return lines
        chosen = which % len(starts)
        begin, end = starts[chosen], [*starts, len(lines)][chosen + 1]
        return lines[:begin] + lines[begin:end] * count + lines[end:]

    return change


_PLACES = st.integers(0, 400)
_CHANGES = st.one_of(
    st.builds(_drop, _PLACES, st.sampled_from([1, 1, 1, 2, 5])),
    st.builds(_double, _PLACES, st.sampled_from([2, 3, 500])),
    st.builds(_swap, _PLACES, _PLACES),
    st.builds(_insert, _PLACES, st.sampled_from(LINES)),
    st.builds(_number, _PLACES, _PLACES, st.sampled_from(NUMBERS)),
    st.builds(_value, _PLACES, st.sampled_from(TEXTS)),
    st.builds(_section, _PLACES, st.sampled_from([0, 2, 3, 9, 250])),
)


def changed(sdp: str, changes: list[Change]) -> str:
    """A description with these changes."""
    lines = sdp.splitlines()
    for change in changes:
        lines = change(lines)
    return "\r\n".join([*lines, ""])[:MOST]


def changes() -> st.SearchStrategy[list[Change]]:
    """Up to four changes of a description."""
    return st.lists(_CHANGES, max_size=4)


def descriptions(real: list[str]) -> st.SearchStrategy[str]:
    """Real descriptions, each with up to four changes."""
    return st.builds(changed, st.sampled_from(real), changes())


def candidates() -> st.SearchStrategy[list[str]]:
    """Up to three candidates, each changed or not."""

    def bent(line: str, change: Change | None) -> str:
        return line if change is None else " ".join(change(line.split(" ")))

    words = st.one_of(
        st.none(),
        st.builds(_drop, _PLACES, st.just(1)),
        st.builds(_number, _PLACES, _PLACES, st.sampled_from(NUMBERS)),
        st.builds(_insert, _PLACES, st.sampled_from(TEXTS)),
    )
    return st.lists(st.builds(bent, st.sampled_from(CANDIDATES), words), max_size=3)
