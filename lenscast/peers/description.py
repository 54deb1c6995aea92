"""What of a remote peer's description (RFC 8866) and of its candidates reaches aiortc.

aiortc reads descriptions with assert, int() and indexing, and some of it only later, in tasks of
its own. So it is given only the lines that it uses, and of these only those that are written as
their RFC says. Sections that are neither sound nor picture, such as those of data channels, are
kept from it: nobody here would read what comes by them, and the answer refuses them.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

MAX_BYTES = 32_768
"""The longest description that a server forwards (`limits.sdp_bytes`)."""
MAX_SECTIONS = 8
"""The pages offer five at most: two pictures, two sounds, data channels."""
MAX_CANDIDATES = 100
"""How many of a remote peer's candidates are used: each is tried from every address here."""

_MID = r"[!#-'*+\-.0-9A-Z^-~]{1,32}"  # RFC 5888 4; a token of RFC 8866 9.
_PAYLOAD_TYPE = r"(?:\d{1,2}|1[01]\d|12[0-7])"  # RFC 3550 5.1: seven bits.
_DIRECTION = r"(?:sendrecv|sendonly|recvonly|inactive)"

# At both levels; what stands in a section comes before what stands above all of them.
_TRANSPORT = {
    "ice-ufrag": r"[A-Za-z0-9+/]{4,256}",  # RFC 8839 5.4
    "ice-pwd": r"[A-Za-z0-9+/]{22,256}",
    "fingerprint": r"[a-z0-9-]{1,16} [0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){1,63}",  # RFC 8122 5
    "setup": r"actpass|active|passive",  # RFC 4145 4; the fourth, "holdconn", connects nothing.
}
_ABOVE = _TRANSPORT | {"ice-lite": ""}  # RFC 8839 5.3
_WITHIN = _TRANSPORT | {
    "mid": _MID,
    "rtcp-mux": "",  # RFC 5761 5.1.1
    "sendrecv": "",
    "sendonly": "",
    "recvonly": "",
    "inactive": "",
    "rtpmap": rf"{_PAYLOAD_TYPE} [\w.+-]{{1,32}}/\d{{1,6}}(?:/\d)?",  # RFC 8866 6.6
    "fmtp": rf"{_PAYLOAD_TYPE} [!-~][ -~]{{0,500}}",  # RFC 8866 6.15
    "rtcp-fb": rf"(?:\*|{_PAYLOAD_TYPE}) [a-z-]{{1,16}}(?: [!-~]{{1,32}}){{0,2}}",  # RFC 4585 4.2
    "extmap": rf"(?:[1-9]|1[0-4])(?:/{_DIRECTION})? [!-~]{{1,200}}",  # RFC 8285 8
    "ssrc": r"\d{1,10} cname:[!-~]{1,100}",  # RFC 5576 4.1
}
_ONCE = {"ice-ufrag", "ice-pwd", "setup", "mid"}
_MEDIA = rf"m=(audio|video) (\d{{1,5}}) ([A-Z/]{{3,20}}) ({_PAYLOAD_TYPE}(?: {_PAYLOAD_TYPE})*)"
_ANY_MEDIA = r"m=([a-z]{1,20}) \d{1,5} ([A-Za-z/]{1,20}) ([!-~][ -~]{0,100})"


class BadDescription(ValueError):
    """A description cannot be used; the sentence says why, and quotes nothing of it."""


@dataclass(frozen=True)
class Described:
    """A remote description, ready for aiortc.

    Attributes
    ----------
    sdp: what aiortc is to have.
    candidates: those that stood in it and can be used, each with its section's mid.
    complete: whether it says that there are no more.
    refused: the place of each section that is kept from aiortc, and how an answer refuses it.
    """

    sdp: str
    candidates: tuple[RTCIceCandidate, ...]
    complete: bool
    refused: tuple[tuple[int, str], ...]

    def answer(self, sdp: str) -> str:
        """An answer of aiortc, with the sections that it was not told of (RFC 3264 6)."""
        above, *sections = re.split(r"^(?=m=)", sdp, flags=re.MULTILINE)
        for place, refusal in self.refused:
            sections.insert(place, refusal)
        return "".join([above, *sections])


def read(sdp: str) -> Described:
    """Read an offer or an answer.

    Raises
    ------
    BadDescription: it cannot be used.
    """
    above, *sections = _split(sdp)
    if not 0 < len(sections) <= MAX_SECTIONS:
        raise BadDescription(f"it has {len(sections)} sections; 1 to {MAX_SECTIONS} can be used")
    transport = list(_kept(above, _ABOVE))
    kept: list[str] = []
    mids: list[str] = []
    candidates: list[RTCIceCandidate] = []
    refused: list[tuple[int, str]] = []
    for place, section in enumerate(sections):
        mid = _mid(section)
        if mid in mids:
            raise BadDescription("two of its sections have the same mid")
        if not _is_media(section):
            refused.append((place, _refusal(section, mid)))
            continue
        mids.append(mid)
        kept += _section(section, transport)
        candidates += _candidates(section, mid)
    if not kept:
        raise BadDescription("it has neither sound nor picture")
    lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0", *_bundle(above, mids)]
    return Described(
        "".join(f"{line}\r\n" for line in [*lines, *transport, *kept]),
        tuple(candidates[:MAX_CANDIDATES]),
        any("a=end-of-candidates" in section for section in sections),
        tuple(refused),
    )


def read_candidate(line: str, mid: str | None, index: int | None) -> RTCIceCandidate | None:
    """Read a candidate (RFC 8839 5.1).

    Parameters
    ----------
    line: as it stands in a description, without "a=".
    mid, index: the section that it belongs to.

    Returns
    -------
    None: it is of no use here, such as one for TCP.
    """
    try:
        candidate = candidate_from_sdp(line.removeprefix("candidate:"))
    except (AssertionError, LookupError, ValueError):
        return None
    usable = (
        candidate.component == 1
        and candidate.protocol.lower() == "udp"
        and 0 < candidate.port < 1 << 16
        and 0 <= candidate.priority < 1 << 32
        and candidate.type in ("host", "srflx", "relay")
        and _matches(r"[!-~]{1,32}", candidate.foundation)
        and _is_host(candidate.ip)
    )
    if not usable:
        return None
    candidate.sdpMid = mid
    candidate.sdpMLineIndex = index
    return candidate


def _split(sdp: str) -> Iterator[list[str]]:
    """The lines above the first section, and then those of each section."""
    part: list[str] = []
    for line in re.split(r"\r?\n", sdp):
        if line.startswith("m="):
            yield part
            part = []
        part.append(line)
    yield part


def _kept(lines: Sequence[str], forms: dict[str, str]) -> Iterator[str]:
    """The lines that aiortc is to have, each once."""
    seen: set[str] = set()
    for line in dict.fromkeys(lines):
        name, _, value = line.removeprefix("a=").partition(":")
        if not line.startswith("a=") or name not in forms or not _matches(forms[name], value):
            continue
        # Of two names or two meanings of one payload type the first one counts.
        key = f"{name} {value.split()[0]}" if name in ("rtpmap", "fmtp") else name
        if (name in _ONCE or key != name) and key in seen:
            continue
        seen.add(key)
        yield line


def _section(section: Sequence[str], transport: Sequence[str]) -> Iterator[str]:
    lines = list(_kept(section[1:], _WITHIN))
    for needed in _TRANSPORT:
        if not any(line.startswith(f"a={needed}:") for line in [*lines, *transport]):
            raise BadDescription(f"a section has no usable a={needed}")
    described = {_value(line).split()[0] for line in lines if line.startswith("a=rtpmap:")}
    yield section[0]
    for line in lines:
        # aiortc looks for the codec of an fmtp line, and does not expect that there is none.
        if not line.startswith("a=fmtp:") or _value(line).split()[0] in described:
            yield line


def _mid(section: Sequence[str]) -> str:
    for line in section:
        if line.startswith("a=mid:") and _matches(_MID, _value(line)):
            return _value(line)
    raise BadDescription("a section has no usable a=mid")


def _is_media(section: Sequence[str]) -> bool:
    found = re.fullmatch(_MEDIA, section[0], re.ASCII)
    # RFC 8843 6: port 0 refuses a section, unless it only has no transport of its own.
    return found is not None and (int(found[2]) > 0 or "a=bundle-only" in section)


def _refusal(section: Sequence[str], mid: str) -> str:
    found = re.fullmatch(_ANY_MEDIA, section[0], re.ASCII)
    if found is None:
        raise BadDescription("one of its m= lines is malformed")
    kind, protocol, formats = found.groups()
    return f"m={kind} 0 {protocol} {formats}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=inactive\r\n"


def _bundle(above: Sequence[str], mids: Sequence[str]) -> Iterator[str]:
    """The group of the sections that share a path (RFC 8843), of those that are kept."""
    for line in above:
        if line.startswith("a=group:BUNDLE "):
            together = [mid for mid in dict.fromkeys(line.split()[1:]) if mid in mids]
            if together:
                yield " ".join(["a=group:BUNDLE", *together])
            return


def _candidates(section: Sequence[str], mid: str) -> Iterator[RTCIceCandidate]:
    for line in section:
        if line.startswith("a=candidate:"):
            candidate = read_candidate(line.removeprefix("a="), mid, None)
            if candidate is not None:
                yield candidate


def _is_host(host: str) -> bool:
    if _matches(r"[A-Za-z0-9-]{1,63}\.local", host):  # draft-ietf-mmusic-mdns-ice-candidates 3
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _value(line: str) -> str:
    return line.partition(":")[2]


def _matches(form: str, value: str) -> bool:
    return re.fullmatch(form, value, re.ASCII) is not None
